// See timeline.py.
const SHOWN = 60; // lines at first, and more at each click

export default {
  props: { events: Array, texts: Object, running: Boolean, warnings: Array },
  template: `
    <div class="timeline card">
      <div class="tools" v-if="lines.length">
        <label><span class="unseen">{{ texts.level }}</span>
          <select class="input" v-model="level"><option v-for="each in levels" :key="each.key" :value="each.key">{{ each.label }}</option></select></label>
        <button class="btn bare compact" type="button" @click="copy"><i class="icon" data-icon="copy"></i>{{ texts.copy_timeline }}</button>
      </div>
      <button class="btn bare compact earlier" type="button" v-if="hidden" @click="more">{{ say(texts.earlier, { n: hidden }) }}</button>
      <div role="log" :aria-label="texts.timeline"><ol>
        <li v-for="event in drawn" :key="event.id" :data-level="event.level" :class="{ now: busy && event === lines[lines.length - 1], fresh: fresh.has(event.id) }">
          <time :datetime="event.at" tabindex="-1" @mouseenter="tell" @focus="tell">[{{ clock(event.at) }}]</time>
          <i class="dot" aria-hidden="true"></i>
          <div>
            <span class="unseen" v-if="word[event.level]">{{ word[event.level] }}: </span><bdi>{{ event.message }}</bdi><span class="times number" v-if="count(event) > 1"> ×{{ count(event) }}</span><template v-if="event.object || said(event)">&ensp;<button class="more" type="button" data-icon="chevron" @click="unfold(event)" :aria-expanded="open.has(event.id) ? 'true' : 'false'"><code v-if="event.object"><bdi>{{ event.object }}</bdi></code><template v-else>{{ texts.evidence }}</template></button></template>
            <dl class="evidence" v-if="open.has(event.id)">
              <template v-if="event.object"><dt>{{ texts.object }}</dt><dd><code><bdi>{{ event.object }}</bdi></code></dd></template>
              <dt>{{ event.object ? texts.cluster_time : texts.time }}</dt><dd class="number">{{ moment(event.at) }}</dd>
              <template v-if="seen(event)"><dt>{{ texts.seen }}</dt><dd class="number">{{ say(texts.seen_times, { n: count(event), time: clock(seen(event).last) }) }}</dd></template>
              <template v-if="said(event)"><dt>{{ texts.said }}</dt><dd><pre tabindex="0">{{ event.evidence }}</pre></dd></template>
            </dl>
          </div>
        </li>
      </ol></div>
      <p class="quiet none" v-if="lines.length && !fitting.length">{{ texts.none_of_level }}</p>
    </div>`,
  data() {
    return {
      lines: this.sorted(this.events), busy: this.running, fresh: new Set(), word: this.texts.levels,
      level: "", limit: SHOWN, open: new Set(), told: this.warnings,
    };
  },
  computed: {
    levels() {
      const there = Object.keys(this.texts.level_names).map((key) => ({ key, n: this.lines.filter((line) => line.level === key).length }));
      const named = there.filter((each) => each.n).map((each) => ({ ...each, label: `${this.texts.level_names[each.key]} (${each.n})` }));
      return [{ key: "", label: `${this.texts.all_levels} (${this.lines.length})` }, ...named];
    },
    fitting() { return this.level ? this.lines.filter((line) => line.level === this.level) : this.lines; },
    hidden() { return Math.max(0, this.fitting.length - this.limit); },
    drawn() { return this.fitting.slice(-this.limit); },
    byWarning() { return new Map(this.told.map((each) => [`${each.about} ${each.reason}`, each])); },
  },
  methods: {
    clock: (at) => Storefleet.clock(at),
    moment: (at) => Storefleet.moment(at),
    say: (text, values) => Storefleet.say(text, values),
    // The time relative to now, at the moment when somebody asks for it.
    tell(event) { event.target.title = `${Storefleet.ago(event.target.dateTime)} · ${Storefleet.moment(event.target.dateTime)}`; },
    sorted: (events) => [...events].sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.id - b.id),
    said: (event) => Boolean(event.evidence) && !event.message.includes(event.evidence),
    seen(event) { return event.kind === "warning" ? this.byWarning.get(`${event.object} ${event.message.split(":")[0]}`) : undefined; },
    count(event) { return this.seen(event)?.count || 0; },
    more() { this.limit += SHOWN * 2; },
    unfold(event) { this.open.has(event.id) ? this.open.delete(event.id) : this.open.add(event.id); },
    copy() {
      const text = this.fitting.map((line) => `[${Storefleet.clock(line.at)}] ${line.message}${line.object ? ` (${line.object})` : ""}`);
      Storefleet.copy(text.join("\n"), this.texts.copied);
    },
    add(events, running) {
      const known = new Set(this.lines.map((line) => line.id));
      const added = events.filter((event) => !known.has(event.id));
      added.forEach((event) => this.fresh.add(event.id));
      this.lines = this.sorted([...this.lines, ...added]);
      this.busy = running;
    },
    warn(warnings) { this.told = warnings; },
  },
};
