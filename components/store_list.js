// See store_list.py.  Keys: / searches, j and k walk through the rows, Enter opens, c creates.
export default {
  props: { rows: Array, more: Boolean, query: Object, counts: Object, owners: Boolean, texts: Object },
  emits: ["query", "more", "create", "undo"],
  template: `
    <div class="stores">
      <header class="head">
        <h1>{{ texts.title }}</h1>
        <div class="search" role="search" v-if="!none">
          <i class="icon" data-icon="search"></i>
          <input class="input" type="search" ref="search" v-model="wanted.q" @input="typed" :placeholder="texts.search" :aria-label="texts.search" aria-keyshortcuts="/" maxlength="63" autocapitalize="none" spellcheck="false">
          <kbd aria-hidden="true" v-if="!wanted.q">/</kbd>
        </div>
        <button v-if="!none" class="btn primary" type="button" @click="$emit('create')" aria-keyshortcuts="c"><i class="icon" data-icon="plus"></i>{{ texts.create }}</button>
      </header>
      <div class="chips" role="group" v-if="!none" :aria-label="texts.filter">
        <button v-for="state in ['', ...Object.keys(texts.states)]" :key="state" type="button" class="chip" :class="{ none: !number(state) }" :aria-pressed="wanted.state === state ? 'true' : 'false'" @click="choose(state)">
          {{ state ? texts.filters[state] : texts.all }} <span class="number">{{ number(state) }}</span></button>
      </div>
      <div class="card list" v-if="lines.length">
        <table role="table" :aria-label="texts.table">
          <thead role="rowgroup"><tr role="row">
            <th role="columnheader" scope="col">{{ texts.columns.store }}</th><th role="columnheader" scope="col">{{ texts.columns.state }}</th>
            <th role="columnheader" scope="col"><span class="unseen">{{ texts.happening }}</span></th><th role="columnheader" scope="col" class="owner" v-if="owners">{{ texts.columns.owner }}</th>
            <th role="columnheader" scope="col" class="version">{{ texts.columns.version }}</th><th role="columnheader" scope="col" class="age">{{ texts.columns.age }}</th></tr></thead>
          <tbody role="rowgroup">
            <tr v-for="row in lines" :key="row.name" role="row" :data-store="row.name" @click="open(row, $event)">
              <td role="cell" class="who"><a class="name" :href="'/stores/' + row.name">{{ row.name }}</a>
                <a v-if="row.state === 'READY'" class="url" :href="row.url" target="_blank" rel="noopener" :aria-label="texts.open.replace('{name}', row.name)">{{ host(row) }}<i class="icon" data-icon="external"></i></a>
                <span v-else class="url">{{ host(row) }}</span></td>
              <td role="cell"><span class="state" :data-state="shown(row)"><i class="icon" :data-icon="icons[shown(row)]"></i>{{ texts.states[shown(row)] || texts.degraded }}</span></td>
              <td role="cell" class="note" :class="{ wrong: row.state === 'FAILED' }"><span class="undo" v-if="undoable(row)"><span>{{ until(row) }}</span><button class="btn compact" type="button" @click="$emit('undo', row.name)" :aria-label="texts.undo_of.replace('{name}', row.name)"><i class="icon" data-icon="retry"></i>{{ texts.undo }}</button></span>
                <span class="text" :title="row.note" v-else-if="row.note || row.due"><bdi>{{ row.note }}</bdi><span class="quiet" v-if="row.due">{{ row.note ? " · " : "" }}{{ left(row) }}</span></span>
                <span class="bar" v-if="row.share !== null && !undoable(row)" aria-hidden="true"><i :style="{ width: Math.max(4, row.share * 100) + '%' }"></i></span></td>
              <td role="cell" class="owner" v-if="owners">{{ row.owner }}</td>
              <td role="cell" class="version number">{{ row.version }}</td>
              <td role="cell" class="age number"><time :datetime="row.created_at" @mouseenter="tell">{{ age(row) }}</time></td>
            </tr>
          </tbody>
        </table>
        <button v-if="further" class="btn bare further" type="button" @click="next" :aria-busy="loading ? 'true' : null"><i class="icon" data-icon="spinner" v-if="loading"></i>{{ texts.more }}</button>
      </div>
      <div class="card empty" v-else-if="narrowed">
        <h2>{{ texts.nothing_title }}</h2><p>{{ texts.nothing }}</p>
        <button class="btn" type="button" @click="clear">{{ texts.clear }}</button>
      </div>
      <div class="card empty" v-else>
        <svg class="mark" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="var(--brand)" stroke-width="1.4" stroke-linejoin="round"><path d="M4.6 10.6V20h14.8v-9.4M9.6 20v-4.2h4.8V20"/><path d="M3 9.4 5 4h14l2 5.4a3 3 0 0 1-6 0 3 3 0 0 1-6 0 3 3 0 0 1-6 0z" fill="var(--brand-soft)"/></svg>
        <h2>{{ texts.empty_title }}</h2><p>{{ texts.empty }}</p>
        <button class="btn primary" type="button" @click="$emit('create')"><i class="icon" data-icon="plus"></i>{{ texts.create }}</button>
      </div>
      <p class="unseen" aria-live="polite">{{ said }}</p>
    </div>`,
  data() {
    return {
      lines: this.rows, further: this.more, wanted: { ...this.query }, numbers: this.counts,
      loading: false, said: "", now: Storefleet.now(), icons: Storefleet.STATE_ICONS,
    };
  },
  computed: {
    narrowed() { return Boolean(this.wanted.q || this.wanted.state); },
    none() { return !this.lines.length && !this.narrowed && !this.numbers.DELETING; }, // a deleted one can be looked for
  },
  mounted() {
    let ticks = 0;
    this.ticker = setInterval(() => { // ages of minutes and more need no drawing every second
      const young = this.lines.some((row) => row.due || row.destroy_at || Storefleet.now() - Date.parse(row.created_at) < 61_000);
      if (young || ++ticks % 15 === 0) this.now = Storefleet.now();
    }, 1000);
    document.addEventListener("keydown", this.key);
  },
  unmounted() {
    clearInterval(this.ticker);
    document.removeEventListener("keydown", this.key);
  },
  methods: {
    shown: (row) => (row.degraded ? "DEGRADED" : row.state),
    number(state) { return this.numbers[state || "ALL"] || 0; },
    undoable(row) { return Boolean(row.destroy_at) && Date.parse(row.destroy_at) > this.now; },
    until(row) { return Storefleet.say(this.texts.destroyed_in, { time: Storefleet.left(row.destroy_at, this.now) }); },
    host: (row) => row.url.replace(/^https?:\/\//, ""),
    age(row) { return Storefleet.age((this.now - Date.parse(row.created_at)) / 1000); },
    left(row) { return Storefleet.say(this.texts.eta, { time: Storefleet.left(row.due, this.now) }); },
    tell(event) { event.target.title = Storefleet.moment(event.target.dateTime); },
    open(row, event) {
      if (event.target.closest("a, button") || getSelection().toString()) return;
      const path = "/stores/" + row.name;
      if (event.metaKey || event.ctrlKey) window.open(path);
      else location.assign(path);
    },
    key(event) {
      const typing = event.target.closest?.("input, textarea, select, dialog, [popover]");
      if (typing || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.key === "/") this.$refs.search?.focus();
      else if (event.key === "c") this.$emit("create");
      else if (event.key === "j" || event.key === "k") {
        const links = [...this.$el.querySelectorAll("a.name")];
        const at = links.indexOf(document.activeElement);
        links[event.key === "j" ? Math.min(at + 1, links.length - 1) : Math.max(at - 1, 0)]?.focus();
      } else return;
      event.preventDefault();
    },
    typed() {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(this.ask, 180);
    },
    choose(state) {
      this.wanted.state = this.wanted.state === state ? "" : state;
      this.ask();
    },
    clear() {
      this.wanted = { q: "", state: "" };
      this.ask();
    },
    ask() {
      const address = new URL(location.href);
      for (const [key, value] of Object.entries(this.wanted))
        if (value) address.searchParams.set(key, value.toLowerCase());
        else address.searchParams.delete(key);
      history.replaceState(history.state, "", address);
      this.$emit("query", { ...this.wanted });
    },
    next() {
      if (this.loading) return;
      this.loading = true;
      this.$emit("more");
    },
    // From here on: called by the server.
    replace(rows, further, query) {
      Object.assign(this, { lines: rows, further, loading: false });
      this.said = Storefleet.say(this.texts.shown, { n: rows.length });
      if (document.activeElement !== this.$refs.search) this.wanted = { ...query };
    },
    append(rows, further) {
      const known = new Set(this.lines.map((row) => row.name));
      this.lines = [...this.lines, ...rows.filter((row) => !known.has(row.name))];
      Object.assign(this, { further, loading: false });
    },
    rest() { this.loading = false; },
    apply(changed, gone, counts) {
      this.numbers = counts;
      const lines = this.lines.filter((row) => !gone.includes(row.name));
      for (const row of changed) {
        const at = lines.findIndex((each) => each.name === row.name);
        if (at >= 0 && lines[at].state !== row.state)
          this.said = Storefleet.say(this.texts.changed, { name: row.name, state: this.texts.states[row.state] });
        if (at >= 0) lines[at] = row;
        else lines.unshift(row);
      }
      this.lines = lines;
    },
  },
};
