// See chart.py.  The drawing itself is its child; it is hidden from screen readers, which get the table.
export default {
  props: { title: String, times: Array, step: Number, unit: String, series: Array, empty: Boolean, texts: Object },
  template: `
    <figure class="card chart" role="group" :aria-label="title">
      <figcaption><h3>{{ title }}</h3>
        <ul class="legend"><li v-for="each in series" :key="each.name"><i aria-hidden="true" :data-drawn="each.drawn" :style="{ '--tone': 'var(--' + each.tone + ')' }"></i>{{ each.name }}</li></ul></figcaption>
      <div class="plot" :class="{ blank: empty }">
        <div aria-hidden="true" :inert="empty"><slot></slot></div>
        <p class="quiet" v-if="empty">{{ texts.nothing }}</p>
      </div>
      <details v-if="!empty">
        <summary class="small" data-icon="chevron">{{ texts.table }}</summary>
        <div class="numbers" tabindex="0" role="region" :aria-label="title"><table>
          <thead><tr><th scope="col">{{ texts.time }}</th><th scope="col" v-for="each in series" :key="each.name">{{ each.name }}</th></tr></thead>
          <tbody><tr v-for="(time, at) in times" :key="time"><th scope="row"><time :datetime="time">{{ when(time) }}</time></th>
            <td class="number" v-for="each in series" :key="each.name">{{ say(each.values[at]) }}</td></tr></tbody>
        </table></div>
      </details>
    </figure>`,
  methods: {
    when(time) { return Storefleet.step(time, this.step); },
    say(value) { return Storefleet.measure(value, this.unit); },
  },
};
