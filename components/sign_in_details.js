// See sign_in_details.py.
export default {
  props: { texts: Object },
  emits: ["reveal"],
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
      <button class="btn compact" type="button" @click="toggle" :aria-expanded="shown ? 'true' : 'false'"><i class="icon" :data-icon="shown ? 'eye-off' : 'eye'"></i>{{ shown ? texts.hide : texts.reveal }}</button>
    </section>`,
  data: () => ({ shown: null, refused: "", copied: "" }),
  methods: {
    toggle() {
      this.refused = "";
      if (this.shown) this.shown = null;
      else this.$emit("reveal");
    },
    show(email, password) { this.shown = { email, password }; },
    refuse(sentence) { this.refused = sentence; },
    async copy(field) {
      const text = this.shown[field];
      try {
        await navigator.clipboard.writeText(text);
      } catch { // not over plain HTTP: the old way, which works everywhere
        const area = Object.assign(document.createElement("textarea"), { value: text });
        this.$el.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      this.copied = field;
      Storefleet.toast(this.texts.copied);
      setTimeout(() => (this.copied = ""), 1600);
    },
  },
};
