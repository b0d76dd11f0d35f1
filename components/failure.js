// See failure.py.
export default {
  props: { reason: Object, texts: Object },
  emits: ["retry", "rollback"],
  template: `
    <section class="failure-place" role="alert">
      <div class="failure card" v-if="reason && !calm" :data-tone="reason.passing ? 'warning' : 'error'">
        <h2><i class="icon" data-icon="alert"></i><bdi>{{ reason.message }}</bdi></h2>
        <p class="plain" v-if="reason.plain">{{ reason.plain }}</p>
        <dl>
          <template v-if="reason.who"><dt>{{ texts.who }}</dt><dd class="who">{{ reason.who }}</dd></template>
          <template v-if="reason.hint"><dt>{{ texts.hint }}</dt><dd><bdi>{{ reason.hint }}</bdi>
            <div class="command" v-if="reason.command"><code tabindex="0"><bdi>{{ reason.command }}</bdi></code><button class="btn bare square" type="button" @click="copy('command')" :aria-label="texts.copy_command"><i class="icon" :data-icon="copied === 'command' ? 'check' : 'copy'"></i></button></div></dd></template>
          <template v-if="reason.evidence && reason.evidence.length"><dt>{{ texts.evidence }}</dt><dd><details :open="reason.technical"><summary data-icon="chevron">{{ texts.said }}</summary><pre tabindex="0">{{ reason.evidence.join("\\n") }}</pre></details></dd></template>
        </dl>
        <div class="error" v-if="refused"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
        <div class="doings">
          <button class="btn primary" type="button" v-if="!reason.passing" @click="retry" :aria-busy="busy ? 'true' : null"><i class="icon" :data-icon="busy ? 'spinner' : 'retry'"></i>{{ busy ? texts.retrying : texts.retry }}</button>
          <button class="btn" type="button" v-if="reason.rollback" @click="$emit('rollback')"><i class="icon" data-icon="undo"></i>{{ texts.rollback }}</button>
          <button class="btn compact" type="button" @click="copy('report')"><i class="icon" :data-icon="copied === 'report' ? 'check' : 'copy'"></i>{{ texts.copy_report }}</button>
        </div>
      </div>
    </section>`,
  data: () => ({ busy: false, refused: "", copied: "", now: Storefleet.now() }),
  watch: { reason() { this.busy = false; this.refused = ""; this.wait(); } },
  mounted() { this.wait(); },
  unmounted() { clearTimeout(this.waiting); },
  computed: { calm() { return Boolean(this.reason?.calm_until) && this.now < Date.parse(this.reason.calm_until); } },
  methods: {
    wait() {
      clearTimeout(this.waiting);
      this.now = Storefleet.now();
      if (this.calm) this.waiting = setTimeout(this.wait, Date.parse(this.reason.calm_until) - this.now);
    },
    retry() {
      if (this.busy) return;
      this.refused = Storefleet.offline();
      if (this.refused) return;
      this.busy = true;
      this.$emit("retry");
    },
    refuse(sentence) {
      this.busy = false;
      this.refused = sentence;
    },
    async copy(what) {
      await Storefleet.copy(this.reason[what], this.texts.copied);
      this.copied = what;
      setTimeout(() => (this.copied = ""), 1600);
    },
  },
};
