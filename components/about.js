// See about.py.
export default {
  props: { store: Object, texts: Object },
  emits: ["rollback"],
  template: `
    <dl class="about card">
      <dt>{{ texts.address }}</dt>
      <dd><a v-if="store.open" class="link" :href="store.url" target="_blank" rel="noopener">{{ host }}</a><template v-else>{{ host }}</template><button class="btn bare square" type="button" @click="copy" :aria-label="texts.copy_address"><i class="icon" :data-icon="copied ? 'check' : 'copy'"></i></button></dd>
      <dt>{{ texts.plan }}</dt><dd>{{ store.plan }}</dd>
      <dt>{{ texts.version }}</dt><dd class="number">{{ store.version }}<button class="btn compact bare" type="button" v-if="store.rollback" @click="$emit('rollback')"><i class="icon" data-icon="undo"></i>{{ texts.rollback }}</button></dd>
      <dt>{{ texts.owner }}</dt><dd>{{ store.owner }}</dd>
      <dt>{{ texts.created }}</dt><dd><time :datetime="store.created_at" :title="moment">{{ ago }}</time></dd>
    </dl>`,
  data: () => ({ tick: 0, copied: false }),
  mounted() { this.ticker = setInterval(() => this.tick++, 15000); },
  unmounted() { clearInterval(this.ticker); },
  methods: {
    async copy() {
      await Storefleet.copy(this.store.url, this.texts.copied);
      this.copied = true;
      setTimeout(() => (this.copied = false), 1600);
    },
  },
  computed: {
    host() { return this.store.url.replace(/^https?:\/\//, ""); },
    ago() { return this.tick >= 0 && Storefleet.ago(this.store.created_at); },
    moment() { return Storefleet.moment(this.store.created_at); },
  },
};
