// See setting_list.py.
export default {
  props: { settings: Array, texts: Object },
  template: `
    <div class="settings">
      <h1>{{ texts.title }}</h1>
      <p class="quiet lead">{{ texts.lead }}</p>
      <label class="check"><input type="checkbox" v-model="changed"><span>{{ texts.only_changed }}</span></label>
      <div class="card rows" v-if="shown.length">
        <table>
          <thead><tr><th scope="col">{{ texts.columns.setting }}</th><th scope="col">{{ texts.columns.value }}</th><th scope="col">{{ texts.columns.source }}</th></tr></thead>
          <tbody><tr v-for="setting in shown" :key="setting.name">
            <td><code class="name">{{ setting.name }}</code><span class="quiet beneath"><template v-for="(part, at) in setting.description.split('\`')" :key="at"><code v-if="at % 2">{{ part }}</code><template v-else>{{ part }}</template></template></span></td>
            <td><span class="quiet" v-if="!setting.value">{{ texts.not_set }}</span><span class="quiet" v-else-if="setting.secret && setting.source !== 'file'">{{ texts.secret }}</span><bdi v-else><code>{{ setting.value }}</code></bdi>
              <span class="quiet beneath" v-if="setting.source !== 'default' && setting.default && !setting.secret">{{ texts.default.replace("{value}", setting.default) }}</span></td>
            <td><span class="source" :data-source="setting.source">{{ texts.sources[setting.source] }}</span></td>
          </tr></tbody>
        </table>
      </div>
      <div class="card nothing" v-else><p class="quiet">{{ texts.nothing }}</p></div>
    </div>`,
  data: () => ({ changed: false }),
  computed: { shown() { return this.changed ? this.settings.filter((each) => each.source !== "default") : this.settings; } },
};
