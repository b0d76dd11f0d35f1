// See usage_charts.py.
export default {
  props: { resource: String, texts: Object, newest: Array },
  template: `
    <figure class="usage-chart" :data-resource="resource">
      <figcaption>
        <h3>{{ texts[resource] }}</h3>
        <ul>
          <li v-for="each in newest" :key="each.part" :data-part="each.part"><i aria-hidden="true"></i>{{ texts.names[each.part] }}
            <span class="number">{{ figure(each) }}</span></li>
        </ul>
      </figcaption>
      <slot></slot>
    </figure>`,
  methods: {
    figure({ value, limit }) {
      const write = this.resource === "cpu" ? Storefleet.cores : Storefleet.size;
      return limit ? Storefleet.say(this.texts.of, { used: write(value), limit: write(limit) }) : write(value);
    },
  },
};
