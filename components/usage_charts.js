// See usage_charts.py.
export default {
  props: { texts: Object, measured: String, simulated: Boolean, disk_bytes: Number },
  emits: ["range", "scale"],
  template: `
    <div class="usage card">
      <div class="tools">
        <p class="quiet small">{{ simulated ? texts.simulated : texts.lead }}</p>
        <fieldset class="switch" v-for="each in switches" :key="each.name">
          <legend class="unseen">{{ each.legend }}</legend>
          <label v-for="(word, key) in each.words" :key="key"><input type="radio" :name="each.name" :value="key" v-model="chosen[each.name]" @change="each.tell(key)">{{ word }}</label>
        </fieldset>
      </div>
      <p class="note" role="status" v-if="measured !== 'yes'"><i class="icon" :data-icon="measured === 'not_yet' ? 'spinner' : 'minus'"></i>{{ texts.measured[measured] }}</p>
      <div class="charts"><slot></slot></div>
      <dl class="disk" v-if="disk_bytes"><dt>{{ texts.disk }}</dt><dd><span class="number">{{ disk }}</span> <span class="quiet small">{{ texts.disk_note }}</span></dd></dl>
    </div>`,
  data() {
    return {
      chosen: { range: "hour", scale: "limit" },
      switches: [
        { name: "range", legend: this.texts.range, words: this.texts.ranges, tell: (key) => this.$emit("range", key) },
        { name: "scale", legend: this.texts.scale, words: this.texts.scales, tell: (key) => this.$emit("scale", key === "limit") },
      ],
    };
  },
  computed: {
    disk() { return Storefleet.size(this.disk_bytes); },
  },
};
