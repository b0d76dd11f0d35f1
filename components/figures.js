// See figures.py.
export default {
  props: { figures: Object, spans: Array, texts: Object, trouble: String },
  emits: ["choose"],
  template: `
    <section class="statistics" aria-labelledby="statistics-title">
      <header class="bar-of">
        <h2 id="statistics-title">{{ texts.title }}</h2>
        <div class="segments" role="group" :aria-label="texts.span">
          <button v-for="span in spans" :key="span" type="button" :aria-pressed="wanted === span ? 'true' : 'false'" @click="choose(span)">{{ texts.spans[span] }}</button>
        </div>
      </header>
      <div class="error" role="alert" v-if="trouble"><i class="icon" data-icon="alert"></i>{{ trouble }}</div>
      <dl class="tiles" :aria-busy="wanted !== figures.span">
        <div class="card"><dt>{{ texts.active }}</dt><dd><b class="number">{{ amount(figures.active) }}</b><span class="quiet">{{ say("of_stores", { n: figures.stores }) }}</span></dd></div>
        <div class="card"><dt>{{ texts.ready_an_hour }}</dt><dd><b class="number">{{ amount(figures.ready_an_hour) }}</b><span class="quiet">{{ say("ready", { n: figures.ready }) }}</span></dd></div>
        <div class="card"><dt>{{ texts.provisioning }}</dt><dd><b class="number">{{ time(figures.provisioning.p50) }}</b><span class="quiet number">{{ say("percentiles", { p95: time(figures.provisioning.p95), p99: time(figures.provisioning.p99) }) }}</span></dd></div>
        <div class="card"><dt>{{ texts.failure_rate }}</dt><dd><b class="number" :class="{ wrong: figures.failed }">{{ rate }}</b><span class="quiet">{{ say("failed", { n: figures.failed, of: figures.failed + figures.ready }) }}</span></dd></div>
      </dl>
      <div class="charts">
        <slot></slot>
        <div class="card causes" role="group" :aria-label="texts.causes">
          <h3>{{ texts.causes }}</h3>
          <table v-if="figures.failures.length">
            <thead class="unseen"><tr><th scope="col">{{ texts.cause }}</th><th scope="col">{{ texts.count }}</th></tr></thead>
            <tbody><tr v-for="each in figures.failures" :key="each.code"><th scope="row"><code>{{ each.code }}</code><span class="meter" aria-hidden="true"><i :style="{ width: (100 * each.count) / figures.failures[0].count + '%' }"></i></span></th><td class="number">{{ amount(each.count) }}</td></tr></tbody>
          </table>
          <p class="quiet" v-else>{{ figures.ready ? texts.no_failures : texts.nothing }}</p>
        </div>
      </div>
      <p class="unseen" aria-live="polite">{{ said }}</p>
    </section>`,
  data() { return { wanted: this.figures.span, said: "" }; },
  watch: {
    figures(now, before) {
      if (now.span === before.span) return;
      this.wanted = now.span;
      this.said = this.say("shown", { span: this.texts.spans[now.span] });
    },
  },
  computed: {
    rate() {
      const rate = this.figures.failure_rate;
      return rate === null ? "–" : Storefleet.percent(rate);
    },
  },
  methods: {
    say(key, values) { return Storefleet.say(this.texts[key], values); },
    amount: (number) => Storefleet.amount(number),
    time: (seconds) => Storefleet.measure(seconds, "seconds"),
    choose(span) {
      if (span === this.wanted) return;
      this.wanted = span;
      const address = new URL(location.href);
      address.searchParams.set("range", span);
      history.replaceState(history.state, "", address);
      this.$emit("choose", span);
    },
  },
};
