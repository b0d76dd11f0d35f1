// See update_notice.py.
export default {
  props: { sentence: String, texts: Object },
  emits: ["upgrade"],
  template: `
    <section class="update-place" aria-live="polite">
      <div class="update card" v-if="sentence">
        <p><i class="icon" data-icon="up"></i><span>{{ sentence }}</span></p>
        <button class="btn compact" type="button" @click="$emit('upgrade')">{{ texts.upgrade }}</button>
      </div>
    </section>`,
};
