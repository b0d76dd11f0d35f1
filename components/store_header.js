// See store_header.py.
export default {
  props: { store: Object, texts: Object },
  emits: ["delete", "undo"],
  template: `
    <header class="store-head">
      <div class="grow">
        <nav class="crumb" aria-label="Breadcrumb"><a class="link" href="/">{{ texts.crumb }}</a> <span aria-hidden="true">/</span></nav>
        <div class="title">
          <h1>{{ store.name }}</h1>
          <span aria-live="polite"><span class="state" :data-state="shown"><i class="icon" :data-icon="icons[shown]"></i>{{ texts.states[shown] || texts.degraded }}</span></span>
        </div>
        <p class="quiet number">{{ note }}</p>
      </div>
      <div class="doings">
        <template v-if="store.open">
          <a class="btn primary" :href="store.url" target="_blank" rel="noopener">{{ texts.open_shop }}<i class="icon" data-icon="external"></i><span class="unseen">({{ texts.new_tab }})</span></a>
          <a class="btn" :href="store.admin_url" target="_blank" rel="noopener">{{ texts.open_admin }}<i class="icon" data-icon="external"></i><span class="unseen">({{ texts.new_tab }})</span></a>
        </template>
        <button class="btn primary" type="button" v-if="undoable" @click="undo" :aria-busy="busy ? 'true' : null"><i class="icon" :data-icon="busy ? 'spinner' : 'retry'"></i>{{ texts.undo }}</button>
        <button class="btn danger" type="button" @click="$emit('delete')" :disabled="store.state === 'DELETING' && !undoable"><i class="icon" data-icon="trash"></i>{{ undoable ? texts.delete_now : texts.delete }}</button>
      </div>
    </header>`,
  data: () => ({ icons: Storefleet.STATE_ICONS, now: Storefleet.now(), busy: false }),
  watch: { store() { this.busy = false; } },
  methods: {
    undo() {
      if (this.busy) return;
      if (Storefleet.offline()) { Storefleet.toast(Storefleet.offline(), true); return; }
      this.busy = true;
      this.$emit("undo");
    },
    refuse() { this.busy = false; },
  },
  mounted() { this.ticker = setInterval(() => { if (this.store.due || this.store.destroy_at) this.now = Storefleet.now(); }, 1000); },
  unmounted() { clearInterval(this.ticker); },
  computed: {
    shown() { return this.store.degraded ? "DEGRADED" : this.store.state; },
    undoable() { return Boolean(this.store.destroy_at) && Date.parse(this.store.destroy_at) > this.now; },
    note() {
      const { state, took, note, due } = this.store;
      if (this.undoable) return Storefleet.say(this.texts.destroyed_in, { time: Storefleet.left(this.store.destroy_at, this.now) });
      if (this.store.degraded) return this.texts.notes.DEGRADED;
      if (state === "READY" && took !== null) return Storefleet.say(this.texts.ready_in, { time: Storefleet.duration(took) });
      const left = due && Storefleet.expected(due, this.texts, this.now);
      return [note || this.texts.notes[state], left].filter(Boolean).join(" · ");
    },
  },
};
