// See store_list.py.  Keys: / searches, j and k walk through the rows, Enter opens, ? tells the others.
const ORDER = {
  created: (row) => row.created_at,
  name: (row) => row.name,
  owner: (row) => row.owner,
  state: (row) => ["FAILED", "REQUESTED", "PROVISIONING", "READY", "DELETING"].indexOf(row.state),
};
const NEWEST = "-created";

export default {
  props: { more: Boolean, query: Object, counts: Object, owners: Array, admin: Boolean, page: Number, texts: Object },
  emits: ["query", "more"],
  template: `
    <div class="stores">
      <header class="head">
        <h1>{{ texts.title }}</h1>
        <div class="search" role="search" v-if="!none">
          <i class="icon" data-icon="search"></i>
          <input class="input" type="search" ref="search" v-model="wanted.q" @input="typed" :placeholder="admin ? texts.search_all : texts.search" :aria-label="admin ? texts.search_all : texts.search" aria-keyshortcuts="/" maxlength="100" autocapitalize="none" spellcheck="false">
          <kbd aria-hidden="true" v-if="!wanted.q">/</kbd>
        </div>
        <button v-if="!none" class="btn help" type="button" @click="$refs.keys.showModal()" aria-keyshortcuts="?" :aria-label="texts.keys" :title="texts.keys"><i class="icon" data-icon="keyboard"></i></button>
        <button v-if="!none" class="btn primary" type="button" @click="create" aria-keyshortcuts="c"><i class="icon" data-icon="plus"></i>{{ texts.create }}</button>
      </header>
      <div class="narrow" v-if="!none">
        <div class="chips" role="group" :aria-label="texts.filter">
          <button v-for="state in ['', ...Object.keys(texts.states)]" :key="state" type="button" class="chip" :class="{ none: !number(state) }" :aria-pressed="wanted.state === state && !wanted.health ? 'true' : 'false'" @click="choose(state, '')">
            {{ state ? texts.filters[state] : texts.all }} <span class="number">{{ amount(number(state)) }}</span></button>
          <button type="button" class="chip" :aria-pressed="wanted.health === 'degraded' ? 'true' : 'false'" @click="choose('', 'degraded')">{{ texts.degraded }}</button>
        </div>
        <div class="pick" v-if="admin && (owners.length > 1 || wanted.owner)">
          <select class="input" v-model="wanted.owner" @change="ask(true)" :aria-label="texts.columns.owner"><option value="">{{ texts.all_owners }}</option>
            <option v-if="wanted.owner && !owners.includes(wanted.owner)" :value="wanted.owner">{{ wanted.owner }}</option>
            <option v-for="each in owners" :key="each" :value="each">{{ each }}</option></select></div>
        <div class="pick order">
          <select class="input" v-model="wanted.sort" @change="ask(true)" :aria-label="texts.order"><option v-for="(title, sort) in sorts" :key="sort" :value="sort">{{ title }}</option></select></div>
      </div>
      <div class="card bulk" role="group" v-if="admin && chosen.size" :aria-label="texts.chosen_group">
        <span class="number" aria-live="polite">{{ say(texts.chosen, { n: chosen.size }) }}</span>
        <button class="btn compact" type="button" @click="act('retry', [...chosen])" :disabled="!retryable.length"><i class="icon" data-icon="retry"></i>{{ texts.retry }}</button>
        <button class="btn compact" type="button" v-if="upgradable.length" @click="act('upgrade', upgradable.map((row) => row.name))"><i class="icon" data-icon="up"></i>{{ texts.upgrade }}</button>
        <button class="btn compact danger" type="button" @click="remove_([...chosen])"><i class="icon" data-icon="trash"></i>{{ texts.delete }}</button>
        <button class="btn compact bare" type="button" @click="chosen = new Set()">{{ texts.none_chosen }}</button>
      </div>
      <div class="card list" v-if="lines.length" :class="{ waiting }" :aria-busy="waiting ? 'true' : null">
        <table role="table" :aria-label="texts.table" :class="{ admin }">
          <thead role="rowgroup"><tr role="row">
            <th role="columnheader" scope="col" class="pickbox" v-if="admin"><input type="checkbox" :aria-label="texts.choose_all" :checked="all" :indeterminate="chosen.size > 0 && !all" @change="chooseAll"></th>
            <th v-for="column in columns" :key="column.key" role="columnheader" scope="col" :class="'of-' + column.key" :aria-sort="sorted(column.sort)">
              <button v-if="column.sort" type="button" class="sort" @click="sort(column.sort)">{{ texts.columns[column.key] }}<i class="icon" v-if="sorted(column.sort)" :data-icon="sorted(column.sort) === 'ascending' ? 'up' : 'down'"></i></button>
              <span v-else-if="column.key === 'version'">{{ texts.columns.version }}</span>
              <span v-else class="unseen">{{ texts[column.key] }}</span></th></tr></thead>
          <tbody role="rowgroup">
            <tr v-for="row in lines" :key="row.name" v-memo="[row, age(row), row.due && left(row), row.destroy_at && until(row), chosen.has(row.name), busy.has(row.name)]" role="row" :data-store="row.name" :class="{ chosen: chosen.has(row.name) }" @click="open(row, $event)">
              <td role="cell" class="pickbox" v-if="admin"><input type="checkbox" :aria-label="texts.choose.replace('{name}', row.name)" :checked="chosen.has(row.name)" @change="toggle(row.name)"></td>
              <td role="cell" class="who"><a class="name" :href="'/stores/' + row.name">{{ row.name }}</a>
                <a v-if="row.state === 'READY'" class="url" :href="row.url" target="_blank" rel="noopener" :aria-label="texts.open.replace('{name}', row.name)">{{ host(row) }}<i class="icon" data-icon="external"></i></a>
                <span v-else class="url">{{ host(row) }}</span></td>
              <td role="cell"><span class="state" :data-state="shown(row)"><i class="icon" :data-icon="icons[shown(row)]"></i>{{ texts.states[shown(row)] || texts.degraded }}</span><span class="update" v-if="row.update" :title="texts.update"><i class="icon" data-icon="up"></i><span class="unseen">{{ texts.update }}</span></span></td>
              <td role="cell" class="note" :class="{ wrong: row.state === 'FAILED' }"><span v-if="undoable(row)">{{ until(row) }}</span>
                <span class="text" :title="row.note" v-else-if="row.note || row.due"><bdi>{{ row.note }}</bdi><span class="quiet" v-if="row.due">{{ row.note ? " · " : "" }}{{ left(row) }}</span></span>
                <span class="quiet" v-else-if="row.health === 'unknown'">{{ texts.unknown }}</span>
                <span class="bar" v-if="row.share !== null && !undoable(row)" aria-hidden="true"><i :style="{ width: Math.max(4, row.share * 100) + '%' }"></i></span></td>
              <td role="cell" class="owner" v-if="admin" :title="row.owner">{{ row.owner }}</td>
              <td role="cell" class="version number">{{ row.version }}</td>
              <td role="cell" class="age number"><time :datetime="row.created_at" @mouseenter="tell">{{ age(row) }}</time></td>
              <td role="cell" class="actions"><span>
                <button v-if="undoable(row)" class="btn compact" type="button" :aria-busy="busy.has(row.name) ? 'true' : null" @click="act('undo', [row.name])" :aria-label="texts.undo_of.replace('{name}', row.name)"><i class="icon" data-icon="retry"></i>{{ texts.undo }}</button>
                <button v-if="row.state === 'FAILED'" class="btn compact" type="button" :aria-busy="busy.has(row.name) ? 'true' : null" @click="act('retry', [row.name])" :aria-label="texts.retry_of.replace('{name}', row.name)"><i class="icon" data-icon="retry"></i>{{ texts.retry }}</button>
                <button v-if="row.state !== 'DELETING'" class="btn compact bare trash" type="button" @click="remove_([row.name])" :aria-label="texts.delete_of.replace('{name}', row.name)" :title="texts.delete"><i class="icon" data-icon="trash"></i></button></span></td>
            </tr>
          </tbody>
        </table>
        <button v-if="further" ref="further" class="btn bare further" type="button" @click="next" :aria-busy="loading ? 'true' : null"><i class="icon" data-icon="spinner" v-if="loading"></i>{{ texts.more }}</button>
      </div>
      <div class="card empty" v-else-if="narrowed" :class="{ waiting }">
        <h2>{{ texts.nothing_title }}</h2><p>{{ texts.nothing }}</p>
        <button class="btn" type="button" @click="clear">{{ texts.clear }}</button>
      </div>
      <div class="card empty" v-else>
        <svg class="mark" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="var(--brand)" stroke-width="1.4" stroke-linejoin="round"><path d="M4.6 10.6V20h14.8v-9.4M9.6 20v-4.2h4.8V20"/><path d="M3 9.4 5 4h14l2 5.4a3 3 0 0 1-6 0 3 3 0 0 1-6 0 3 3 0 0 1-6 0z" fill="var(--brand-soft)"/></svg>
        <h2>{{ texts.empty_title }}</h2><p>{{ texts.empty }}</p>
        <button class="btn primary" type="button" @click="create"><i class="icon" data-icon="plus"></i>{{ texts.create }}</button>
      </div>
      <dialog class="sheet keys" ref="keys" aria-labelledby="keys-title" @click.self="$refs.keys.close()"><form method="dialog">
        <h2 id="keys-title">{{ texts.keys }}</h2>
        <dl><template v-for="(does, key) in texts.key_list" :key="key"><div v-if="admin || key !== 'x'"><dt><kbd>{{ key }}</kbd></dt><dd>{{ does }}</dd></div></template></dl>
        <div class="actions"><button class="btn" type="submit">{{ texts.close }}</button></div></form></dialog>
      <p class="unseen" aria-live="polite">{{ said }}</p>
    </div>`,
  data() {
    return {
      lines: this.served().map(Object.freeze), further: this.more, wanted: this.without(this.query), numbers: this.counts,
      loading: false, waiting: false, said: "", now: Storefleet.now(), icons: Storefleet.STATE_ICONS,
      chosen: new Set(), busy: new Set(),
    };
  },
  computed: {
    narrowed() { return Boolean(this.wanted.q || this.wanted.state || this.wanted.health || this.wanted.owner); },
    none() { return !this.lines.length && !this.narrowed && !this.numbers.DELETING; }, // a deleted one can be looked for
    all() { return this.chosen.size > 0 && this.lines.every((row) => this.chosen.has(row.name)); },
    retryable() { return this.lines.filter((row) => row.state === "FAILED" && this.chosen.has(row.name)); },
    upgradable() { return this.lines.filter((row) => row.update && this.chosen.has(row.name)); },
    columns() {
      const all = [["store", "name"], ["state", "state"], ["happening"], ["owner", "owner"], ["version"], ["age", NEWEST], ["actions"]];
      return all.map(([key, sort]) => ({ key, sort })).filter(({ key }) => this.admin || key !== "owner");
    },
    sorts() { return Object.fromEntries(Object.entries(this.texts.sorts).filter(([key]) => this.admin || !key.includes("owner"))); },
  },
  watch: { further() { this.$nextTick(this.observe); } },
  mounted() {
    let ticks = 0;
    this.ticker = setInterval(() => { // ages of minutes and more need no drawing every second
      const young = this.lines.some((row) => row.due || row.destroy_at || Storefleet.now() - Date.parse(row.created_at) < 61_000);
      if (young || ++ticks % 15 === 0) this.now = Storefleet.now();
    }, 1000);
    this.leave = [
      Storefleet.on("stores", ({ rows, counts }) => this.apply(rows, counts)),
      Storefleet.on("acted", ({ outcomes }) => this.acted(outcomes)),
    ];
    document.addEventListener("keydown", this.key);
    addEventListener("popstate", this.back);
    addEventListener("pagehide", this.remember);
    this.near = new IntersectionObserver(([seen]) => seen.isIntersecting && this.next(), { rootMargin: "600px" });
    this.$nextTick(() => {
      this.observe();
      const [visit] = performance.getEntriesByType("navigation");
      if (visit?.type !== "navigate") scrollTo(0, Number(sessionStorage.getItem("storefleet.scroll:" + location.search)) || 0);
    });
  },
  unmounted() {
    clearInterval(this.ticker);
    this.near.disconnect();
    this.leave.forEach((end) => end());
    document.removeEventListener("keydown", this.key);
    removeEventListener("popstate", this.back);
    removeEventListener("pagehide", this.remember);
  },
  methods: {
    say: (text, values) => Storefleet.say(text, values),
    amount: (number) => Storefleet.amount(number),
    served() { // with the page itself
      const block = document.getElementById("rows-of-stores");
      const rows = JSON.parse(block.textContent);
      block.remove();
      return rows;
    },
    without: ({ q, state, health, owner, sort }) => ({ q, state, health, owner, sort }),
    shown: (row) => (row.health === "degraded" ? "DEGRADED" : row.state),
    number(state) { return this.numbers[state || "ALL"] || 0; },
    undoable(row) { return Boolean(row.destroy_at) && Date.parse(row.destroy_at) > this.now; },
    until(row) { return Storefleet.say(this.texts.destroyed_in, { time: Storefleet.left(row.destroy_at, this.now) }); },
    host: (row) => row.url.replace(/^https?:\/\//, ""),
    age(row) { return Storefleet.age((this.now - Date.parse(row.created_at)) / 1000); },
    left(row) { return Storefleet.expected(row.due, this.texts, this.now); },
    tell(event) { event.target.title = Storefleet.moment(event.target.dateTime); },
    create() { Storefleet.tell("create"); },
    observe() {
      this.near.disconnect();
      if (this.$refs.further) this.near.observe(this.$refs.further);
    },
    remember() { sessionStorage.setItem("storefleet.scroll:" + location.search, scrollY); },
    open(row, event) {
      if (event.target.closest("a, button, input, .pickbox") || getSelection().toString()) return;
      const path = "/stores/" + row.name;
      if (event.metaKey || event.ctrlKey) window.open(path);
      else location.assign(path);
    },
    key(event) {
      const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog, [popover]");
      if (typing || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
      const links = [...this.$el.querySelectorAll("a.name")];
      const row = document.activeElement.closest?.("tr[data-store]");
      const at = row ? links.indexOf(row.querySelector("a.name")) : -1;
      const act = {
        "/": () => this.$refs.search?.focus(),
        c: this.create,
        "?": () => this.$refs.keys.showModal(),
        j: () => links[Math.min(at + 1, links.length - 1)]?.focus(),
        k: () => links[Math.max(at - 1, 0)]?.focus(),
        o: () => row?.querySelector("a.url")?.click(),
        x: () => this.admin && row && this.toggle(row.dataset.store),
        Escape: () => (this.chosen = new Set()),
      }[event.key];
      if (!act) return;
      act();
      event.preventDefault();
    },
    // What is narrowed, and the order: each is a step of the browser's history, typing is one as a whole.
    typed() {
      this.write(false);
      clearTimeout(this.pause);
      this.pause = setTimeout(this.send, 180);
    },
    choose(state, health) {
      const again = this.wanted.state === state && this.wanted.health === health;
      Object.assign(this.wanted, again ? { state: "", health: "" } : { state, health });
      this.ask(true);
    },
    clear() {
      Object.assign(this.wanted, { q: "", state: "", health: "", owner: "" });
      this.ask(true);
    },
    sort(by) {
      const turned = by.startsWith("-") ? by.slice(1) : "-" + by;
      this.wanted.sort = this.wanted.sort === by ? turned : by;
      this.ask(true);
    },
    sorted(by) { // ages grow as the times of creation fall
      if (!by || this.wanted.sort.replace("-", "") !== by.replace("-", "")) return null;
      return this.wanted.sort === by ? "ascending" : "descending";
    },
    ask(step) {
      this.write(step);
      this.send();
    },
    write(step) {
      const address = new URL(location.href);
      address.searchParams.delete("rows");
      for (const [key, value] of Object.entries(this.wanted))
        if (value && value !== NEWEST) address.searchParams.set(key, value.toLowerCase());
        else address.searchParams.delete(key);
      if (step) history.pushState(null, "", address);
      else history.replaceState(history.state, "", address);
    },
    send() {
      this.loading = false;
      this.$emit("query", { ...this.wanted });
      clearTimeout(this.patience);
      this.patience = setTimeout(() => (this.waiting = true), 250);
    },
    back() {
      const asked = new URL(location.href).searchParams;
      const word = (key) => asked.get(key) || "";
      this.wanted = { q: word("q"), state: word("state").toUpperCase(), health: word("health"), owner: word("owner"), sort: word("sort") || NEWEST };
      this.send();
    },
    next() {
      if (this.loading || this.waiting) return;
      this.loading = true;
      this.$emit("more");
    },
    toggle(name) {
      const chosen = new Set(this.chosen);
      if (!chosen.delete(name)) chosen.add(name);
      this.chosen = chosen;
    },
    chooseAll() { this.chosen = this.all ? new Set() : new Set(this.lines.map((row) => row.name)); },
    act(action, names) {
      names = names.filter((name) => !this.busy.has(name));
      if (action === "retry" && names.length > 1) names = this.retryable.map((row) => row.name);
      if (!names.length) return;
      if (Storefleet.offline()) return Storefleet.toast(Storefleet.offline(), true);
      this.busy = new Set([...this.busy, ...names]);
      Storefleet.tell("act", { action, names });
    },
    remove_(names) { Storefleet.tell("ask-deletion", names); },
    acted(outcomes) {
      const done = new Set(outcomes.map(({ name }) => name));
      this.busy = new Set([...this.busy].filter((name) => !done.has(name)));
      const kept = new Set(outcomes.filter(({ refused }) => refused).map(({ name }) => name));
      this.chosen = new Set([...this.chosen].filter((name) => !done.has(name) || kept.has(name)));
    },
    // From here on: called by the server.
    settle(numbers, further) {
      clearTimeout(this.patience);
      Object.assign(this, { numbers, further, loading: false, waiting: false });
    },
    replace(rows, further, numbers, query) {
      this.settle(numbers, further);
      this.lines = rows.map(Object.freeze);
      this.keep();
      this.said = Storefleet.say(this.texts.shown, { n: rows.length });
      if (document.activeElement !== this.$refs.search) this.wanted = this.without(query);
    },
    append(rows, further, numbers) {
      const known = new Set(this.lines.map((row) => row.name));
      this.settle(numbers, further);
      this.lines = [...this.lines, ...rows.filter((row) => !known.has(row.name)).map(Object.freeze)];
      const address = new URL(location.href); // so that who comes back finds as many
      address.searchParams.set("rows", Math.min(1000, Math.ceil(this.lines.length / this.page) * this.page));
      history.replaceState(history.state, "", address);
      this.$nextTick(this.observe);
    },
    rest() { this.loading = false; },
    remove(names) {
      this.lines = this.lines.filter((row) => !names.includes(row.name));
      this.keep();
    },
    keep() { // what is not shown is not chosen
      const shown = new Set(this.lines.map((row) => row.name));
      if ([...this.chosen].some((name) => !shown.has(name))) this.chosen = new Set([...this.chosen].filter((name) => shown.has(name)));
    },
    fits(row) {
      const { q, state, health, owner } = this.wanted, part = q.trim().toLowerCase();
      const found = part.includes("@") ? row.owner.includes(part) : row.name.includes(part);
      return found && (!state || row.state === state) && (!health || row.health === health) && (!owner || row.owner === owner);
    },
    hidden(row) { return Boolean(row.destroy_at) && this.wanted.state !== "DELETING"; },
    // Where a new row belongs; -1: behind what is loaded.
    place(row, lines) {
      const down = this.wanted.sort.startsWith("-"), key = ORDER[this.wanted.sort.replace("-", "")];
      const at = lines.findIndex((each) => (down ? key(each) < key(row) : key(each) > key(row)));
      return at >= 0 ? at : this.further ? -1 : lines.length;
    },
    apply(changed, numbers) {
      this.numbers = numbers;
      let lines = [...this.lines];
      const news = [];
      for (const row of changed.map(Object.freeze)) {
        const at = lines.findIndex((each) => each.name === row.name);
        if (at >= 0 && lines[at].state !== row.state) news.push(row);
        if (this.hidden(row)) lines = lines.filter((each) => each.name !== row.name);
        else if (at >= 0) lines[at] = row; // it stays where it is, also when it fits no more
        else if (this.fits(row)) {
          const place = this.place(row, lines);
          if (place >= 0) lines.splice(place, 0, row);
        }
      }
      this.lines = lines;
      this.keep();
      if (news.length === 1) this.said = Storefleet.say(this.texts.changed, { name: news[0].name, state: this.texts.states[news[0].state] });
      else if (news.length) this.said = Storefleet.say(this.texts.changed_many, { n: news.length });
    },
  },
};
