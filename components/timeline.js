// See timeline.py.
export default {
  props: { events: Array, texts: Object, running: Boolean },
  template: `
    <div class="timeline card" role="log" :aria-label="texts.timeline"><ol>
      <li v-for="(event, index) in lines" :key="event.id" :data-level="event.level" :class="{ now: busy && index === lines.length - 1, fresh: fresh.has(event.id) }">
        <time :datetime="event.at" @mouseenter="tell" @focus="tell">[{{ clock(event.at) }}]</time>
        <i class="dot" aria-hidden="true"></i>
        <div>
          <span class="unseen" v-if="word[event.level]">{{ word[event.level] }}: </span><bdi>{{ event.message }}</bdi><template v-if="event.object">&ensp;<code class="object"><bdi>{{ event.object }}</bdi></code></template>
          <details v-if="event.evidence && event.evidence !== event.message">
            <summary data-icon="chevron">{{ texts.evidence }}</summary>
            <pre tabindex="0">{{ event.evidence }}</pre>
          </details>
        </div>
      </li>
    </ol></div>`,
  data() {
    return { lines: this.sorted(this.events), busy: this.running, fresh: new Set(), word: this.texts.levels };
  },
  methods: {
    clock: (at) => Storefleet.clock(at),
    // The time relative to now, at the moment when somebody asks for it.
    tell(event) { event.target.title = `${Storefleet.ago(event.target.dateTime)} · ${Storefleet.moment(event.target.dateTime)}`; },
    sorted: (events) => [...events].sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.id - b.id),
    add(events, running) {
      const known = new Set(this.lines.map((line) => line.id));
      const added = events.filter((event) => !known.has(event.id));
      added.forEach((event) => this.fresh.add(event.id));
      this.lines = this.sorted([...this.lines, ...added]);
      this.busy = running;
    },
  },
};
