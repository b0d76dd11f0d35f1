// See sign_in_details.py.
export default {
  props: { texts: Object, rotatable: Boolean },
  emits: ["reveal", "rotate"],
  template: `
    <section class="details card">
      <p class="quiet small">{{ texts.lead }}</p>
      <dl v-if="shown">
        <template v-for="field in ['email', 'password']" :key="field">
          <dt>{{ texts[field] }}</dt>
          <dd><code>{{ shown[field] }}</code><button class="btn bare square" type="button" @click="copy(field)" :aria-label="texts.copy.replace('{what}', texts[field])"><i class="icon" :data-icon="copied === field ? 'check' : 'copy'"></i></button></dd>
        </template>
      </dl>
      <div class="error" v-if="refused" role="alert"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
      <button class="btn compact" type="button" @click="toggle" :aria-expanded="shown ? 'true' : 'false'" :aria-busy="busy ? 'true' : null"><i class="icon" :data-icon="busy ? 'spinner' : shown ? 'eye-off' : 'eye'"></i>{{ shown ? texts.hide : texts.reveal }}</button>
      <button class="btn compact bare" type="button" v-if="rotatable" @click="$emit('rotate')"><i class="icon" data-icon="retry"></i>{{ texts.rotate }}</button>
    </section>`,
  data: () => ({ shown: null, refused: "", copied: "", busy: false }),
  methods: {
    toggle() {
      if (this.busy) return; // each look is written down: a second click is no second look
      this.refused = "";
      if (this.shown) { this.shown = null; return; }
      this.refused = Storefleet.offline();
      if (this.refused) return;
      this.busy = true;
      this.$emit("reveal");
    },
    show(email, password) { Object.assign(this, { shown: { email, password }, busy: false }); },
    forget() { this.shown = null; },
    refuse(sentence) { Object.assign(this, { refused: sentence, busy: false }); },
    async copy(field) {
      await Storefleet.copy(this.shown[field], this.texts.copied);
      this.copied = field;
      setTimeout(() => (this.copied = ""), 1600);
    },
  },
};
