// See failure.py.
export default {
  props: { reason: Object, texts: Object },
  emits: ["retry"],
  template: `
    <section class="failure-place" role="alert">
      <div class="failure card" v-if="reason" :data-tone="reason.passing ? 'warning' : 'error'">
        <h2><i class="icon" data-icon="alert"></i>{{ reason.message }}</h2>
        <dl>
          <template v-if="reason.who"><dt>{{ texts.who }}</dt><dd class="who">{{ reason.who }}</dd></template>
          <template v-if="reason.hint"><dt>{{ texts.hint }}</dt><dd>{{ reason.hint }}</dd></template>
          <template v-if="reason.evidence && reason.evidence.length"><dt>{{ texts.evidence }}</dt><dd><pre tabindex="0">{{ reason.evidence.join("\\n") }}</pre></dd></template>
        </dl>
        <div class="error" v-if="refused"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
        <button class="btn primary" type="button" v-if="!reason.passing" @click="retry" :aria-busy="busy ? 'true' : null"><i class="icon" :data-icon="busy ? 'spinner' : 'retry'"></i>{{ busy ? texts.retrying : texts.retry }}</button>
      </div>
    </section>`,
  data: () => ({ busy: false, refused: "" }),
  watch: { reason() { this.busy = false; this.refused = ""; } },
  methods: {
    retry() {
      if (this.busy) return;
      this.busy = true;
      this.refused = "";
      this.$emit("retry");
    },
    refuse(sentence) {
      this.busy = false;
      this.refused = sentence;
    },
  },
};
