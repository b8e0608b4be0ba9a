// Draws what the prover found with the library that Kibana draws with, and Vega
// of the versions that Kibana has. Tables, numbers, clouds and the map are HTML.
import React from 'react';
import {createRoot} from 'react-dom/client';
import {Chart, Settings, Axis, BarSeries, LineSeries, Partition, Heatmap, LIGHT_THEME} from '@elastic/charts';
import * as vega from 'vega';
import {compile} from 'vega-lite';

const h = React.createElement;
const palette = ['#16C5C0', '#A6EDEA', '#61A2FF', '#BFDBFF', '#EE72A6', '#FFC7DB', '#F6726A', '#FFC9C2', '#EAAE01', '#FCD883'];
const base = {baseTheme: LIGHT_THEME, locale: 'en', theme: {colors: {vizColors: palette}, partition: {emptySizeRatio: 0.5, linkLabel: {maxCount: 0}, fontFamily: 'DejaVu Sans'}}};
const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = n => String(n).padStart(2, '0');
const day = v => { const d = new Date(v); return `${month[d.getUTCMonth()]} ${d.getUTCDate()}, ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`; };
const number = (v, f) => v == null ? '-' : Number(v).toLocaleString('en', f ? {minimumFractionDigits: f.params.decimals, maximumFractionDigits: f.params.decimals} : {maximumFractionDigits: 1}) + (f && f.params.suffix || '');
const cell = (p, i, v) => v == null || v === '' ? '-' : i < p.buckets && p.types[i] === 'number' ? String(v) : p.types[i] === 'date' ? day(v) : p.types[i] === 'number' ? number(v, p.formats[i]) : String(v);
const size = p => ({width: p.w, height: p.h});
// fold makes rows of x, group and y of a panel's.
const fold = p => p.rows.flatMap(r => r.slice(p.buckets).map((y, m) => ({x: r[0], g: p.buckets > 1 ? String(r[1]) : p.columns[p.buckets + m], y: y ?? 0})));

const draw = {
  lnsMetric: p => {
    const r = p.rows[0] || [];
    return h('div', {className: 'm'}, p.columns.length > 1 && h('small', null, p.columns[1] + ' ', cell(p, 1, r[1])), h('i', null, p.columns[0]), h('b', null, cell(p, 0, r[0])));
  },
  lnsXY: p => {
    const type = p.state.layers[0].seriesType, lying = /horizontal/.test(type), Series = type === 'line' ? LineSeries : BarSeries;
    const time = p.types[0] === 'date', several = p.buckets > 1 || p.columns.length - p.buckets > 1;
    return h(Chart, {size: size(p)},
      h(Settings, {...base, showLegend: several, legendPosition: 'right', legendSize: 130, rotation: lying ? 90 : 0}),
      h(Axis, {id: 'x', position: lying ? 'left' : 'bottom', tickFormat: time ? day : undefined, style: {tickLabel: {fontSize: 11}}}),
      h(Axis, {id: 'y', position: lying ? 'bottom' : 'left', ticks: 5, title: lying || several ? undefined : p.columns[p.columns.length - 1], tickFormat: v => number(v)}),
      h(Series, {id: 's', xScaleType: time ? 'time' : 'ordinal', yScaleType: 'linear', timeZone: 'utc', xAccessor: 'x', yAccessors: ['y'], splitSeriesAccessors: several ? ['g'] : undefined,
        name: s => several ? String(s.splitAccessors.get('g')) : p.columns[p.columns.length - 1],
        stackAccessors: /stacked/.test(type) ? ['x'] : undefined, data: fold(p)}));
  },
  lnsPie: p => h(Chart, {size: size(p)},
    h(Settings, {...base, showLegend: true, legendPosition: 'right', legendSize: 190, flatLegend: true}),
    h(Partition, {id: 'd', data: p.rows.map(r => ({g: String(r[0]), y: r[1]})), layout: 'sunburst', valueAccessor: d => d.y, valueFormatter: v => number(v),
      layers: [{groupByRollup: d => d.g, shape: {fillColor: (k, i) => palette[i % palette.length]}}]})),
  lnsHeatmap: p => {
    const time = p.types[0] === 'date', data = fold(p).map(d => ({...d, x: time ? d.x : String(d.x)})), top = Math.max(...data.map(d => d.y), 1);
    const steps = [0, 0.05, 0.2, 0.4, 0.7], shades = ['#e8f8f8', '#bfeeec', '#7fdedb', '#16c5c0', '#0a7a77'];
    return h(Chart, {size: size(p)},
      h(Settings, {...base, theme: {...base.theme, heatmap: {cell: {label: {visible: false}, border: {strokeWidth: 1, stroke: '#fff'}}, xAxisLabel: {fontSize: 10, rotation: time ? 0 : -30}, yAxisLabel: {fontSize: 11}}}, showLegend: false}),
      h(Heatmap, {id: 'h', data, xAccessor: 'x', yAccessor: 'g', valueAccessor: 'y', xAxisLabelFormatter: v => time ? day(v) : v, ySortPredicate: 'alphaAsc',
        xScale: time ? {type: 'time', interval: {type: 'fixed', unit: 'h', value: 3}} : {type: 'ordinal'}, timeZone: 'UTC',
        colorScale: {type: 'bands', bands: steps.map((s, i) => ({start: s * top, end: i < 4 ? steps[i + 1] * top : Infinity, color: shades[i]}))}}));
  },
  lnsTagcloud: p => {
    const most = Math.max(...p.rows.map(r => r[1])), least = Math.min(...p.rows.map(r => r[1]));
    return h('div', {className: 'c'}, p.rows.map((r, i) => h('span', {key: i, style: {color: ['#0b8884', '#1750ba', '#a11262', '#825803', '#a71627'][i % 5], fontSize: 13 + 29 * (r[1] - least) / ((most - least) || 1)}}, String(r[0]) + '  ')));
  },
  lnsDatatable: p => h('table', null,
    h('thead', null, h('tr', null, p.columns.map((c, i) => h('th', {key: i, className: p.types[i] === 'number' && i >= p.buckets ? 'n' : ''}, c)))),
    h('tbody', null, p.rows.slice(0, Math.floor((p.h - 22) / 23)).map((r, i) => h('tr', {key: i}, r.map((v, j) => h('td', {key: j, style: j === 0 && p.columns.length < 4 ? {maxWidth: p.w - 90 * (p.columns.length - 1)} : undefined,
      className: p.types[j] === 'number' && j >= p.buckets ? 'n' : j === 0 && p.types[0] === 'ip' ? 'a' : ''}, cell(p, j, v))))))),
  markdown: p => h('div', {className: 't', dangerouslySetInnerHTML: {__html: p.text.replace(/</g, '&lt;').replace(/\*\*(.+?)\*\*/g, '<b>$1</b>').replace(/\*(.+?)\*/g, '<i>$1</i>')}}),
  links: p => h('div', {className: 'l'}, p.links.map((l, i) => h('a', {key: i, className: l.here ? 'here' : ''}, l.title))),
  search: p => h('table', null,
    h('thead', null, h('tr', null, p.columns.map((c, i) => h('th', {key: i}, c)))),
    h('tbody', null, p.rows.slice(0, Math.floor((p.h - 22) / 23)).map((r, i) => h('tr', {key: i}, r.map((v, j) => h('td', {key: j}, j === 0 ? day(v) : v || '-')))))),
  // The tiles come from the internet: here are the clusters alone, on a grid of
  // degrees.
  map: p => {
    const x = lon => (lon + 180) / 360 * p.w, y = lat => (85 - lat) / 150 * p.h, most = Math.max(...p.places.map(q => q[2]));
    const lines = [];
    for (let lon = -180; lon <= 180; lon += 30) lines.push(h('line', {key: 'x' + lon, x1: x(lon), x2: x(lon), y1: 0, y2: p.h, stroke: '#e3e8f2'}));
    for (let lat = -60; lat <= 90; lat += 30) lines.push(h('line', {key: 'y' + lat, x1: 0, x2: p.w, y1: y(lat), y2: y(lat), stroke: '#e3e8f2'}));
    return h('svg', {width: p.w, height: p.h, style: {background: '#f6f9fc'}}, lines, p.places.map((q, i) => h('g', {key: i},
      h('circle', {cx: x(q[0]), cy: y(q[1]), r: 7 + 17 * Math.sqrt(q[2] / most), fill: '#f6726a', fillOpacity: 0.75, stroke: '#fff'}),
      h('text', {x: x(q[0]), y: y(q[1]) + 4, textAnchor: 'middle', fontSize: 11, fill: '#1d2a3e'}, q[2]))));
  },
};

const unit = 30, row = 22, grid = document.getElementById('grid'), all = window.PICTURES;
document.querySelector('header').textContent = all.titles[window.WHICH];
for (const c of all.controls[window.WHICH] || []) {
  const d = document.createElement('div');
  d.innerHTML = '<b></b><span>&#9662;</span>';
  d.firstChild.textContent = c;
  document.getElementById('controls').appendChild(d);
}
let bottom = 0;
for (const p of all.panels.filter(p => p.dashboard === window.WHICH)) {
  const [x, y, w, hh] = p.grid;
  bottom = Math.max(bottom, y + hh);
  const d = document.createElement('div');
  d.className = 'p';
  Object.assign(d.style, {left: x * unit + 3 + 'px', top: y * row + 'px', width: w * unit - 6 + 'px', height: hh * row - 6 + 'px'});
  d.innerHTML = '<h2></h2><div></div>';
  d.firstChild.textContent = p.title;
  const titled = p.type !== 'links' && p.visual !== 'markdown';
  if (!titled) d.firstChild.remove();
  grid.appendChild(d);
  const body = d.lastChild, space = {w: w * unit - 30, h: hh * row - (titled ? 46 : 24)};
  if (p.visual === 'vega') {
    const spec = {...p.spec, width: space.w, height: space.h};
    new vega.View(vega.parse(compile(spec).spec), {renderer: 'svg'}).initialize(body).runAsync();
    continue;
  }
  const kind = draw[p.visual] ? p.visual : p.type;
  if (kind !== 'links' && kind !== 'markdown' && kind !== 'map' && !(p.rows || []).length) {
    body.className = 'none';
    body.textContent = 'No results found';
    continue;
  }
  body.style.height = space.h + 'px';
  createRoot(body).render(draw[kind]({...p, ...space, links: all.dashboards.map(id => ({title: all.titles[id].replace(/^\[.*?\] /, ''), here: id === window.WHICH}))}));
}
grid.style.height = bottom * row + 'px';
