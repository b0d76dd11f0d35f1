// See orphan_list.py.
export default {
  props: { found: Object, trouble: String, texts: Object },
  emits: ["look", "clean"],
  template: `
    <section class="orphans">
      <header>
        <h2>{{ texts.title }}</h2>
        <span class="quiet number" v-if="found">{{ texts.looked.replace("{ago}", ago) }}</span>
        <button class="btn compact" type="button" @click="look" :aria-busy="looking ? 'true' : null"><i class="icon" :data-icon="looking ? 'spinner' : 'retry'"></i>{{ texts.look }}</button>
      </header>
      <p class="quiet lead" v-if="found">{{ texts.lead }} {{ texts.policy[found.policy] }}</p>
      <div class="error" role="alert" v-if="trouble"><i class="icon" data-icon="alert"></i>{{ trouble }}</div>
      <div class="card rows" v-if="found && found.items.length">
        <table>
          <thead><tr><th scope="col">{{ texts.columns.object }}</th><th scope="col">{{ texts.columns.age }}</th><th scope="col">{{ texts.columns.size }}</th><th scope="col"><span class="unseen">{{ texts.columns.clean }}</span></th></tr></thead>
          <tbody><tr v-for="item in found.items" :key="item.id">
            <td><bdi class="name">{{ name(item) }}</bdi><span class="quiet beneath">{{ about(item) }}</span></td>
            <td class="number"><time :datetime="item.created_at" :title="moment(item)">{{ age(item) }}</time></td>
            <td class="number">{{ item.size_bytes === null ? "–" : size(item.size_bytes) }}</td>
            <td><button v-if="item.cleanable" class="btn compact danger" type="button" @click="ask(item)" :aria-label="texts.clean_named.replace('{name}', name(item))"><i class="icon" data-icon="trash"></i>{{ texts.clean }}</button>
              <span v-else-if="item.deleting" class="quiet">{{ texts.deleting }}</span></td>
          </tr></tbody>
        </table>
      </div>
      <div class="card nothing" v-else-if="found"><b>{{ texts.none_title }}</b><p class="quiet">{{ texts.none }}</p></div>
      <div class="card nothing" v-else-if="!trouble" role="status"><p class="quiet"><i class="icon" data-icon="spinner"></i> {{ texts.looking }}</p></div>
      <dialog class="sheet" ref="dialog" aria-labelledby="clean-title" aria-describedby="clean-text" @click.self="close">
        <form method="dialog" @submit.prevent="confirm">
          <h2 id="clean-title">{{ texts.confirm_title.replace("{name}", asked ? name(asked) : "") }}</h2>
          <p id="clean-text">{{ texts.confirm }} <template v-if="asked && asked.size_bytes">{{ texts.confirm_size.replace("{size}", size(asked.size_bytes)) }}</template></p>
          <div class="error" v-if="refused" role="alert"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
          <div class="actions">
            <button class="btn" type="button" @click="close">{{ texts.keep }}</button>
            <button class="btn danger solid" type="submit" :aria-busy="busy ? 'true' : null"><i class="icon" data-icon="spinner" v-if="busy"></i>{{ busy ? texts.removing : texts.submit }}</button>
          </div>
        </form>
      </dialog>
    </section>`,
  data: () => ({ asked: null, busy: false, refused: "", looking: false, tick: 0 }),
  watch: {
    found() {
      this.looking = false;
      if (this.busy) this.close();
    },
    trouble() { this.looking = false; },
  },
  mounted() { this.ticker = setInterval(() => this.tick++, 15000); },
  unmounted() { clearInterval(this.ticker); },
  computed: { ago() { return this.tick >= 0 && Storefleet.ago(this.found.at); } },
  methods: {
    name: (item) => `${item.kind.toLowerCase()}/${item.name}`,
    about(item) {
      if (!item.deleting && !item.cleanable) return this.texts.row;
      const where = item.namespace && this.texts.in.replace("{namespace}", item.namespace);
      return [where, item.contains && Storefleet.say(this.texts.with, { n: item.contains })].filter(Boolean).join(" · ");
    },
    age: (item) => Storefleet.age((Storefleet.now() - Date.parse(item.created_at)) / 1000),
    moment: (item) => Storefleet.moment(item.created_at),
    size: (bytes) => Storefleet.size(bytes),
    look() {
      if (this.looking) return;
      this.looking = true;
      this.$emit("look");
    },
    ask(item) {
      Object.assign(this, { asked: item, busy: false, refused: "" });
      this.$refs.dialog.showModal();
    },
    close() {
      this.busy = false;
      this.$refs.dialog.close();
    },
    confirm() {
      if (this.busy) return;
      this.busy = true;
      this.$emit("clean", this.asked.id);
    },
    refuse(sentence) {
      this.busy = false;
      this.refused = sentence;
    },
  },
};
