// See log_view.py.  Lines are added to the page as text, by hand: a log is too quick for drawing it anew at each line.
const MOST_LINES = 5000, MOST_CHARACTERS = 2_000_000; // kept on the page
const FIRST_LINES = 500;
const HIDDEN_FOR = 60_000; // ms in a hidden tab until the stream ends
const AGAIN_AFTER = [2000, 5000, 10_000, 30_000]; // ms until a stream that was refused is asked for again

// A line in JSON, as many programs log, in the words that it holds: [level, text]; null for any other line.
function told(text) {
  if (!text.startsWith("{")) return null;
  let line;
  try { line = JSON.parse(text); } catch { return null; }
  const level = String(line.level ?? "");
  if (line.message ?? line.msg) return [level, [level, line.message ?? line.msg].filter(Boolean).join("  ")];
  if (!line.method || !line.path) return null;
  const took = line.duration === undefined ? "" : `${Math.round(line.duration)} ms`;
  return [level, [level, line.method, line.path, line.status, took].filter(Boolean).join("  ")];
}

export default {
  props: { address: String, sources: Array, texts: Object },
  template: `
    <section class="log card" :aria-label="texts.title">
      <div class="tools">
        <label class="pick"><span class="unseen">{{ texts.source }}</span>
          <select class="input" v-model="chosen" @change="restart">
            <option v-for="each in options" :key="each.key" :value="each.key">{{ each.label }}</option>
          </select></label>
        <label class="find"><span class="unseen">{{ texts.find }}</span><input class="input" type="search" v-model="wanted" :placeholder="texts.find" @input="filter" autocapitalize="none" spellcheck="false"></label>
        <button class="btn compact" type="button" @click="toggle" :aria-pressed="following ? 'true' : 'false'" v-if="!current.previous"><i class="icon" :data-icon="following ? 'pause' : 'play'"></i>{{ following ? texts.pause : texts.follow }}</button>
        <a class="btn compact" :href="download" download><i class="icon" data-icon="download"></i>{{ texts.download }}</a>
      </div>
      <div class="lines" ref="lines" tabindex="0" role="region" :aria-label="texts.lines" @scroll.passive="scrolled"></div>
      <div class="foot">
        <span class="number" role="status"><i class="icon" :data-icon="sign"></i>{{ status }}</span>
        <span class="quiet number">{{ counted }}</span>
        <button class="btn compact" type="button" v-if="!atEnd" @click="toEnd">{{ texts.newest }}</button>
      </div>
    </section>`,
  data: () => ({ chosen: "", wanted: new URL(location.href).searchParams.get("find") || "", following: true, atEnd: true, note: "", state: "idle", count: 0, shown: 0, dropped: 0, pod: "" }),
  created() {
    Object.assign(this, { stream: null, last: "", characters: 0, refusals: 0 }); // not drawn
    this.chosen = this.options[0]?.key || "";
  },
  mounted() {
    this.onVisible = () => this.visible();
    document.addEventListener("visibilitychange", this.onVisible);
    this.watcher = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.watcher.disconnect();
      this.begin();
    });
    this.watcher.observe(this.$el);
  },
  unmounted() {
    document.removeEventListener("visibilitychange", this.onVisible);
    this.watcher.disconnect();
    this.close();
    clearTimeout(this.hiding);
  },
  watch: {
    options(now) { if (!now.some((each) => each.key === this.chosen)) { this.chosen = now[0]?.key || ""; this.restart(); } },
  },
  computed: {
    options() {
      return this.sources.flatMap((each) => {
        const key = [each.part, each.pod, each.container].join("/");
        const before = { ...each, previous: true, key: `${key}/previous`, label: `${each.label}, ${this.texts.before}` };
        return each.had_run ? [{ ...each, key, previous: false }, before] : [{ ...each, key, previous: false }];
      });
    },
    current() { return this.options.find((each) => each.key === this.chosen) || { part: "medusa", pod: "", container: "", previous: false }; },
    download() { return this.url({ tail: 10000 }); },
    sign() { return { idle: "queue", opening: "spinner", open: "check", waiting: "spinner", lost: "warning", paused: "minus", ended: "minus" }[this.state]; },
    status() { return this.note || this.texts.states[this.state]; },
    counted() {
      const all = Storefleet.say(this.texts.counted, { n: Storefleet.amount(this.count) });
      if (this.wanted) return Storefleet.say(this.texts.found, { n: Storefleet.amount(this.shown), of: Storefleet.amount(this.count) });
      return this.dropped ? `${all} · ${this.texts.dropped}` : all;
    },
  },
  methods: {
    url(more) {
      const { part, pod, container, previous } = this.current;
      const query = new URLSearchParams({ part, ...more });
      if (pod) query.set("pod", pod);
      if (container) query.set("container", container);
      if (previous) query.set("previous", "true");
      return `${this.address}?${query}`;
    },
    open({ part, pod, container, previous }) {
      const found = this.options.filter((each) => each.part === part && each.container === container && each.previous === previous);
      const exact = found.find((each) => each.pod === pod) || found[0];
      if (exact) this.chosen = exact.key;
      this.watcher.disconnect();
      this.restart();
      this.$el.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
      this.$refs.lines.focus({ preventScroll: true });
    },
    restart() {
      this.close();
      this.$refs.lines.replaceChildren();
      Object.assign(this, { count: 0, shown: 0, dropped: 0, characters: 0, last: "", note: "", following: true, atEnd: true, refusals: 0, pod: "" });
      this.begin();
    },
    begin() {
      if (this.stream || !this.following) return;
      clearTimeout(this.again);
      const { previous } = this.current;
      const more = previous ? { tail: 5000 } : { follow: "true", tail: this.last ? 0 : FIRST_LINES, ...(this.last && { since: this.last }) };
      this.state = "opening";
      const stream = (this.stream = new EventSource(this.url(more)));
      stream.onopen = () => { this.refusals = 0; this.state = "open"; };
      stream.addEventListener("of", (event) => this.from(JSON.parse(event.data)));
      stream.addEventListener("lines", (event) => { this.note = ""; this.state = "open"; this.add(JSON.parse(event.data).lines); });
      stream.addEventListener("note", (event) => { this.note = JSON.parse(event.data).text; this.state = "waiting"; });
      stream.addEventListener("end", () => { this.close(); this.state = "ended"; });
      stream.onerror = () => {
        if (stream.readyState !== EventSource.CLOSED) { this.state = "lost"; return; } // it comes back by itself
        this.close();
        this.state = "lost";
        this.again = setTimeout(() => this.begin(), AGAIN_AFTER[Math.min(this.refusals++, AGAIN_AFTER.length - 1)]);
      };
    },
    close() {
      clearTimeout(this.again);
      this.stream?.close();
      this.stream = null;
    },
    toggle() {
      this.following = !this.following;
      if (this.following) { this.begin(); this.toEnd(); }
      else { this.close(); this.note = ""; this.state = "paused"; }
    },
    visible() {
      clearTimeout(this.hiding);
      if (document.hidden) {
        this.hiding = setTimeout(() => { if (this.stream) { this.close(); this.wasHidden = true; this.state = "paused"; } }, HIDDEN_FOR);
      } else if (this.wasHidden) {
        this.wasHidden = false;
        this.begin();
      }
    },
    from({ pod, container }) {
      if (this.pod && this.pod !== pod) this.rule(Storefleet.say(this.texts.from, { pod, container }));
      this.pod = pod;
    },
    rule(text) { this.$refs.lines.append(Object.assign(document.createElement("p"), { className: "rule", textContent: text })); },
    add(lines) {
      const box = this.$refs.lines, some = document.createDocumentFragment();
      for (const [at, text] of lines) {
        const line = document.createElement("p");
        if (at) line.append(Object.assign(document.createElement("time"), { dateTime: at, title: Storefleet.moment(at), textContent: Storefleet.clock(at) }), " ");
        const words = document.createElement("bdi");
        const [level, short] = told(text) || ["", text];
        words.textContent = short;
        if (short !== text) line.title = text;
        line.append(words);
        line.dataset.level = this.level(level || text);
        some.append(line);
        this.match(line, this.wanted.toLowerCase());
        this.count++;
        this.characters += text.length + 10;
        if (at) this.last = at;
      }
      box.append(some);
      while (this.count > MOST_LINES || this.characters > MOST_CHARACTERS) {
        const first = box.firstElementChild;
        this.characters -= first.textContent.length;
        if (first.className !== "rule") { this.count--; this.dropped++; if (!first.hidden) this.shown--; }
        first.remove();
      }
      if (this.atEnd) this.toEnd();
    },
    level(text) {
      if (/\b(error|fatal|panic|failed)\b/i.test(text)) return "error";
      return /\bwarn(ing)?\b/i.test(text) ? "warning" : "";
    },
    match(line, wanted) {
      const words = line.lastElementChild, text = words.textContent;
      const at = wanted ? text.toLowerCase().indexOf(wanted) : -1;
      line.hidden = Boolean(wanted) && at < 0;
      if (!line.hidden) this.shown++;
      if (at < 0) { if (words.firstElementChild) words.textContent = text; return; }
      const mark = Object.assign(document.createElement("mark"), { textContent: text.slice(at, at + wanted.length) });
      words.replaceChildren(text.slice(0, at), mark, text.slice(at + wanted.length));
    },
    filter() {
      clearTimeout(this.filtering);
      this.filtering = setTimeout(() => {
        const address = new URL(location.href); // a page that lost its server is loaded anew
        if (this.wanted) address.searchParams.set("find", this.wanted);
        else address.searchParams.delete("find");
        history.replaceState(history.state, "", address);
        this.shown = 0;
        const wanted = this.wanted.toLowerCase();
        for (const line of this.$refs.lines.children) if (line.className !== "rule") this.match(line, wanted);
        if (this.atEnd) this.toEnd();
      }, 120);
    },
    scrolled() {
      const box = this.$refs.lines;
      this.atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
    },
    toEnd() {
      const box = this.$refs.lines;
      box.scrollTop = box.scrollHeight;
      this.atEnd = true;
    },
  },
};
