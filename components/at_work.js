// See at_work.py.
export default {
  props: { facts: Object, texts: Object },
  template: `
    <div class="at-work">
      <section>
        <h2>{{ texts.at_work }}</h2>
        <dl class="figures">
          <div class="card"><dt>{{ texts.places }}</dt>
            <dd><b>{{ say("taken", { n: facts.working, of: facts.at_once }) }}</b>
              <span class="meter" aria-hidden="true"><i :style="{ width: share(facts.working, facts.at_once) }"></i></span>
              <span class="quiet">{{ say("on_the_way", { n: facts.on_the_way, of: facts.in_flight }) }}<template v-if="facts.deletions"> · {{ say("deletions", { n: facts.deletions }) }}</template></span></dd></div>
          <div class="card"><dt>{{ texts.leader }}</dt>
            <dd><b :class="{ wrong: !leads }">{{ leads ? (facts.leader.here ? texts.leads_here : texts.leads) : texts.nobody_leads }}</b>
              <template v-if="leads"><bdi class="quiet">{{ facts.leader.holder }}</bdi><time class="quiet" v-if="facts.leader.since" :datetime="facts.leader.since" :title="moment">{{ say("since", { time: led }) }}</time></template></dd></div>
          <div class="card"><dt>{{ texts.view }}</dt>
            <dd><b :class="{ wrong: !facts.trusted }">{{ facts.trusted ? texts.view_good : texts.view_bad }}</b>
              <span class="quiet" v-if="facts.trusted && facts.view_age !== null">{{ say("view_age", { time: age(facts.view_age) }) }}</span>
              <bdi class="quiet" v-if="!facts.trusted">{{ facts.detail }}</bdi></dd></div>
        </dl>
        <div class="card rows" v-if="facts.rows.length">
          <table>
            <thead><tr><th scope="col">{{ texts.columns.store }}</th><th scope="col">{{ texts.columns.state }}</th><th scope="col">{{ texts.columns.owner }}</th><th scope="col">{{ texts.columns.left }}</th></tr></thead>
            <tbody><tr v-for="row in facts.rows" :key="row.name">
              <td><a class="name" :href="'/stores/' + row.name">{{ row.name }}</a></td>
              <td><span class="state" :data-state="row.state"><i class="icon" :data-icon="icons[row.state]"></i>{{ texts.states[row.state] }}</span><span class="quiet number place" v-if="row.place">{{ say("place", { n: row.place }) }}</span></td>
              <td class="quiet">{{ row.owner }}</td>
              <td class="quiet number">{{ row.state === "DELETING" ? "" : row.due ? left(row) : texts.unknown }}</td>
            </tr></tbody>
          </table>
        </div>
        <div class="card nothing" v-else><b>{{ texts.quiet_title }}</b><p class="quiet">{{ texts.quiet }}</p></div>
      </section>
      <section>
        <h2>{{ texts.capacity }}</h2>
        <div class="card capacity" v-if="facts.capacity">
          <div v-for="bar in bars" :key="bar.name" class="gauge">
            <span :id="'gauge-' + bar.name">{{ texts[bar.name] }}</span><span class="quiet number">{{ bar.text }}</span>
            <span class="meter" role="meter" :aria-labelledby="'gauge-' + bar.name" :aria-valuenow="bar.used" aria-valuemin="0" :aria-valuemax="bar.total" :aria-valuetext="bar.text" :class="{ full: bar.used > 0.9 * bar.total }"><i :style="{ width: share(bar.used, bar.total) }"></i></span>
          </div>
          <div class="gauge"><span>{{ texts.storage }}</span><span class="quiet number">{{ storage }}</span></div>
          <div class="gauge"><span>{{ texts.room }}</span><span class="quiet number">{{ room }}</span></div>
        </div>
        <div class="card nothing" v-else><p class="quiet">{{ texts.capacity_unknown }}</p></div>
      </section>
    </div>`,
  data: () => ({ icons: Storefleet.STATE_ICONS, now: Storefleet.now() }),
  mounted() {
    let ticks = 0;
    this.ticker = setInterval(() => {
      if (this.facts.rows.some((row) => row.due) || ++ticks % 15 === 0) this.now = Storefleet.now();
    }, 1000);
  },
  unmounted() { clearInterval(this.ticker); },
  computed: {
    leads() { return Boolean(this.facts.leader?.holder); },
    led() { return Storefleet.age((this.now - Date.parse(this.facts.leader.since)) / 1000); },
    moment() { return Storefleet.moment(this.facts.leader.since); },
    bars() {
      const { cpu, memory } = this.facts.capacity;
      return [
        { name: "cpu", ...cpu, text: this.say("cores", { used: Storefleet.amount(cpu.used), total: Storefleet.amount(cpu.total) }) },
        { name: "memory", ...memory, text: this.say("bytes", { used: Storefleet.size(memory.used), total: Storefleet.size(memory.total) }) },
      ];
    },
    storage() {
      const free = this.facts.capacity.storage_free_bytes;
      return free === null ? this.texts.storage_unknown : this.say("storage_free", { free: Storefleet.size(free) });
    },
    room() {
      const more = Object.entries(this.facts.capacity.more_stores);
      return more.map(([plan, n]) => this.say("room_for", { n: n >= 100 ? "100+" : n, plan: this.facts.plans[plan] })).join(" · ");
    },
  },
  methods: {
    say(key, values) { return Storefleet.say(this.texts[key], values); },
    age: (seconds) => Storefleet.age(seconds),
    left(row) { return Storefleet.expected(row.due, this.texts, this.now); },
    share: (used, total) => Math.min(100, total ? (100 * used) / total : 0) + "%",
  },
};
