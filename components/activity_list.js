// See activity_list.py.  Keys: / searches, j and k walk through the entries, Enter unfolds.
export default {
  props: { entries: Array, more: Boolean, exported: String, query: Object, choices: Object, chain: Object, trouble: Array, texts: Object },
  emits: ["query", "more", "verify"],
  template: `
    <div class="activity">
      <header class="head"><h1>{{ texts.title }}</h1>
        <a class="btn compact" v-for="form in ['csv', 'jsonl']" :key="form" :href="'/api/v1/audit/export?format=' + form + (sent ? '&' + sent : '')" download><i class="icon" data-icon="download"></i>{{ texts.export[form] }}</a>
      </header>
      <form class="filters" role="search" @submit.prevent="ask">
        <div class="search"><i class="icon" data-icon="search"></i>
          <input class="input" type="search" ref="search" v-model="wanted.q" @input="typed" :placeholder="texts.search" :aria-label="texts.search" aria-keyshortcuts="/" maxlength="254" autocapitalize="none" spellcheck="false"><kbd aria-hidden="true" v-if="!wanted.q">/</kbd></div>
        <select v-for="(values, name) in choices" :key="name" class="input" v-model="wanted[name]" @change="ask" :aria-label="texts.filters[name]">
          <option value="">{{ texts.any[name] }}</option>
          <option v-for="value in values" :key="value" :value="value">{{ words(name, value) }}</option>
        </select>
        <button class="btn bare compact" type="button" v-if="narrowed" @click="clear">{{ texts.clear }}</button>
      </form>
      <div class="error" role="alert" v-for="sentence in sentences" :key="sentence"><i class="icon" data-icon="alert"></i><bdi>{{ sentence }}</bdi></div>
      <section class="card chain" :aria-label="texts.chain">
        <i class="icon" :data-icon="end.broken ? 'alert' : end.verified_at ? 'check' : 'queue'" :class="{ wrong: end.broken, good: end.verified_at && !end.broken }"></i>
        <div><b :class="{ wrong: end.broken }">{{ verdict }}</b>
          <span class="quiet">{{ say("head", { n: amount(end.count) }) }} <code :title="end.head">{{ end.head.slice(0, 16) }}…</code></span></div>
        <button class="btn compact" type="button" @click="copy">{{ copied ? texts.copied : texts.copy }}</button>
        <button class="btn compact" type="button" @click="verify" :aria-busy="walking ? 'true' : null"><i class="icon" data-icon="spinner" v-if="walking"></i>{{ walking ? texts.walking : texts.verify }}</button>
      </section>
      <ol class="card entries" v-if="lines.length" :aria-busy="asking" :aria-label="texts.title">
        <li v-for="entry in lines" :key="entry.id" :class="{ fresh: fresh.has(entry.id) }"><details>
          <summary data-icon="chevron">
            <time class="number" :datetime="entry.at" :title="moment(entry)">{{ when(entry) }}</time>
            <bdi class="actor" :class="{ quiet: !entry.actor }">{{ entry.actor || texts.somebody }}</bdi>
            <span class="act">{{ words("action", entry.action) }} <bdi class="name">{{ entry.store_name }}</bdi></span>
            <span class="state" :data-state="states[entry.outcome]"><i class="icon" :data-icon="icons[entry.outcome]"></i>{{ words("outcome", entry.outcome) }}</span>
          </summary>
          <dl>
            <template v-for="[name, value] in facts(entry)" :key="name"><dt>{{ texts.facts[name] }}</dt><dd><a v-if="name === 'store'" class="link" :href="'/stores/' + encodeURIComponent(value)">{{ value }}</a><pre v-else-if="name === 'detail'">{{ value }}</pre><bdi v-else>{{ value }}</bdi></dd></template>
          </dl>
        </details></li>
      </ol>
      <div class="card empty" v-else><h2>{{ narrowed ? texts.nothing_title : texts.empty_title }}</h2><p>{{ narrowed ? texts.nothing : texts.empty }}</p>
        <button class="btn" type="button" v-if="narrowed" @click="clear">{{ texts.clear }}</button></div>
      <button v-if="further && lines.length" class="btn further" type="button" @click="next" :aria-busy="loading ? 'true' : null"><i class="icon" data-icon="spinner" v-if="loading"></i>{{ texts.more }}</button>
      <p class="unseen" aria-live="polite">{{ said }}</p>
    </div>`,
  data() {
    return {
      lines: this.entries, further: this.more, sent: this.exported, wanted: { ...this.query }, end: this.chain, sentences: this.trouble, fresh: new Set(),
      loading: false, asking: false, walking: false, copied: false, said: "",
      icons: { ok: "check", refused: "minus", failed: "alert" }, states: { ok: "READY", refused: "DEGRADED", failed: "FAILED" },
    };
  },
  computed: {
    narrowed() { return Object.values(this.wanted).some(Boolean); },
    verdict() {
      if (this.end.broken) return this.end.broken;
      if (!this.end.verified_at) return this.texts.unverified;
      return this.say("verified", { n: this.amount(this.end.verified), time: Storefleet.clock(this.end.verified_at) });
    },
  },
  mounted() { document.addEventListener("keydown", this.key); },
  unmounted() { document.removeEventListener("keydown", this.key); },
  methods: {
    say(key, values) { return Storefleet.say(this.texts[key], values); },
    amount: (number) => Storefleet.amount(number),
    words(name, value) { return this.texts.words[name]?.[value] ?? value; },
    moment: (entry) => Storefleet.moment(entry.at),
    when: (entry) => Storefleet.dated(entry.at),
    facts(entry) {
      const { store_name: store, error, address, token_id: token, hash, detail } = entry;
      const told = Object.keys(detail).length ? JSON.stringify(detail, null, 2) : "";
      return Object.entries({ number: entry.id, time: this.moment(entry), action: entry.action, store, error, address, token, hash, detail: told }).filter(([, value]) => value);
    },
    key(event) {
      if (event.metaKey || event.ctrlKey || event.altKey || event.target.closest?.("input, textarea, select, dialog, [popover]")) return;
      if (event.key === "/") this.$refs.search.focus();
      else if (event.key === "j" || event.key === "k") {
        const entries = [...this.$el.querySelectorAll(".entries summary")];
        const at = entries.indexOf(document.activeElement);
        entries[event.key === "j" ? Math.min(at + 1, entries.length - 1) : Math.max(at - 1, 0)]?.focus();
      } else return;
      event.preventDefault();
    },
    typed() {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(this.ask, 180);
    },
    clear() {
      this.wanted = Object.fromEntries(Object.keys(this.wanted).map((name) => [name, ""]));
      this.ask();
    },
    ask() {
      clearTimeout(this.waiting);
      const address = new URL(location.href);
      for (const name of ["user", "store"]) address.searchParams.delete(name);
      for (const [name, value] of Object.entries(this.wanted))
        if (value) address.searchParams.set(name, value);
        else address.searchParams.delete(name);
      history.replaceState(history.state, "", address);
      Object.assign(this, { asking: true, sentences: [] });
      this.$emit("query", { ...this.wanted });
    },
    next() {
      if (this.loading) return;
      this.loading = true;
      this.$emit("more");
    },
    verify() {
      if (this.walking) return;
      this.walking = true;
      this.$emit("verify");
    },
    async copy() {
      await navigator.clipboard.writeText(this.end.head);
      this.copied = true;
      setTimeout(() => (this.copied = false), 2000);
    },
    // From here on: called by the server.
    replace(entries, further, sent) {
      Object.assign(this, { lines: entries, further, sent, loading: false, asking: false, fresh: new Set() });
      this.said = this.say("shown", { n: entries.length });
    },
    append(entries, further) {
      const known = new Set(this.lines.map((entry) => entry.id));
      this.lines = [...this.lines, ...entries.filter((entry) => !known.has(entry.id))];
      Object.assign(this, { further, loading: false });
    },
    rest() { Object.assign(this, { loading: false, asking: false, walking: false }); },
    add(entries, chain) {
      const known = new Set(this.lines.map((entry) => entry.id));
      const added = entries.filter((entry) => !known.has(entry.id));
      if (added.length) {
        this.lines = [...added, ...this.lines];
        this.fresh = new Set(added.map((entry) => entry.id));
        this.said = this.say("came", { n: added.length });
      }
      this.end = chain;
    },
    showChain(chain) {
      Object.assign(this, { end: chain, walking: false });
      this.said = this.verdict;
    },
  },
};
