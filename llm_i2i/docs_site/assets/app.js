// The pages of the site. All text of a project enters the page as text nodes, never as markup.
'use strict';
(() => {
  const docs = window.llmi2iDocs, index = docs.index, nodes = index.nodes;
  const byName = new Map(nodes.map((node, number) => [node.name, number]));
  nodes.forEach((node, number) => { node.number = number; node.readers = []; });
  for (const node of nodes) for (const parent of node.reads) nodes[parent].readers.push(node.number);
  const $ = id => document.getElementById(id);
  const SVG = 'http://www.w3.org/2000/svg';

  // -- small helpers -------------------------------------------------------------------------------------------------

  function fill(element, props, children) {
    for (const [key, value] of Object.entries(props || {})) {
      if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
      else if (value === true) element.setAttribute(key, '');
      else if (value !== false && value != null) element.setAttribute(key, value);
    }
    for (const child of children.flat(Infinity)) if (child != null && child !== false) element.append(child);
    return element;
  }
  const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
  const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);
  const href = (name, column) => '#/model/' + encodeURIComponent(name) + (column ? '/' + encodeURIComponent(column) : '');
  const link = (name, column) => h('a', { href: href(name, column) }, column ? name + '.' + column : name);
  const whole = new Intl.NumberFormat('en');
  const count = (n, noun) => whole.format(n) + ' ' + noun + (n === 1 ? '' : 's');
  const say = text => { $('status').textContent = text; };

  function number(value) {
    if (value == null) return '';
    if (typeof value !== 'number') return String(value);
    if (Number.isInteger(value)) return whole.format(value);
    return Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6 ? String(+value.toFixed(4)) : value.toExponential(3);
  }
  function bytes(n) {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let i = 0;
    while (n >= 1000 && i < units.length - 1) { n /= 1000; i += 1; }
    return n.toFixed(i && n < 10 ? 1 : 0) + ' ' + units[i];
  }
  function prose(text) {  // `code` in a description; all else is plain
    return text.split(/`([^`]+)`/).map((part, i) => i % 2 ? h('code', null, part) : part);
  }
  function table(caption, heads, rows) {
    const numeric = heads.map((_, i) => rows.length > 0 && rows.every(r => r[i] == null || typeof r[i] === 'number'));
    const places = heads.map((_, i) => numeric[i] ? Math.max(0, ...rows.map(r => Number.isInteger(r[i]) || r[i] == null ? 0 : Math.min(4, (String(r[i]).split('.')[1] || '').length))) : 0);
    const cell = (value, i) => value instanceof Node || !numeric[i] || value == null ? value : places[i] && Math.abs(value) < 1e6 ? value.toFixed(places[i]) : number(value);
    return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
      h('table', null, h('caption', { class: 'hidden' }, caption),
        h('thead', null, h('tr', null, heads.map((t, i) => h('th', { scope: 'col', class: numeric[i] && 'n' }, t)))),
        h('tbody', null, rows.map(r => h('tr', null, r.map((v, i) => h('td', { class: numeric[i] && 'n' }, cell(v, i))))))));
  }
  const LOOKS = { current: 'up to date', changed: 'changed since', 'not built': 'not built', source: 'source', ephemeral: 'ephemeral' };
  const state = node => h('span', { class: node.state.replace(' ', '') }, LOOKS[node.state] || node.state);

  function reach(start, key) {  // all nodes up (reads) or down (readers)
    const seen = new Set(), stack = [...nodes[start][key]];
    while (stack.length) {
      const at = stack.pop();
      if (!seen.has(at)) { seen.add(at); stack.push(...nodes[at][key]); }
    }
    return seen;
  }

  const scripts = new Map();
  function load(src) {  // a script of this site, once
    if (!scripts.has(src)) scripts.set(src, new Promise((done, failed) => {
      document.head.append(h('script', { src, onload: done, onerror: () => failed(new Error(src + ' cannot be read')) }));
    }));
    return scripts.get(src);
  }

  // -- SQL -----------------------------------------------------------------------------------------------------------

  const WORDS = new Set(('select from where with as and or not in is null on using join inner left right full outer cross lateral union all by name group order having ' +
    'qualify limit offset distinct case when then else end over partition rows range between preceding following unbounded current row cast exists values asc desc nulls ' +
    'first last filter exclude replace recursive true false like ilike interval semi anti asof positional pivot unpivot').split(' '));
  const TOKEN = /(\{#[\s\S]*?#\}|--[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^']|'')*'|\$\$[\s\S]*?\$\$)|(\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\})|(\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b)|([A-Za-z_]\w*)/gi;
  function sql(text) {
    const code = h('code');
    let last = 0;
    for (const match of text.matchAll(TOKEN)) {
      const kind = match[1] ? 'c' : match[2] ? 's' : match[3] ? 'j' : match[4] ? 'd' : WORDS.has(match[5].toLowerCase()) ? 'k' : '';
      if (!kind) continue;
      code.append(text.slice(last, match.index), h('span', { class: kind }, match[0]));
      last = match.index + match[0].length;
    }
    code.append(text.slice(last));
    return h('pre', { tabindex: 0 }, code);
  }

  // -- the map: every node, by folder --------------------------------------------------------------------------------

  function bands() {  // folders in the order data flows: next is the one that waits for the fewest edges from folders not placed yet
    const groups = new Map(), depth = [];
    nodes.forEach((node, i) => {
      depth[i] = 1 + Math.max(-1, ...node.reads.map(r => depth[r]));
      const group = groups.get(node.folder) || { folder: node.folder, nodes: [], depth: 0, waits: new Map() };
      group.nodes.push(node);
      group.depth += depth[i];
      for (const r of node.reads) group.waits.set(nodes[r].folder, (group.waits.get(nodes[r].folder) || 0) + 1);
      groups.set(node.folder, group);
    });
    const left = new Set(groups.values()), ordered = [];
    const waiting = group => [...left].reduce((n, other) => n + (other === group ? 0 : group.waits.get(other.folder) || 0), 0);
    while (left.size) {
      const next = [...left].map(g => [waiting(g), g.depth / g.nodes.length, g]).sort((x, y) => x[0] - y[0] || x[1] - y[1])[0][2];
      ordered.push(next);
      left.delete(next);
    }
    return ordered;
  }

  const MOST_IN_FLOW = 60, FEW = 30;  // nodes that can be laid out in layers, and so few that they are at first
  let drawEdges = () => {};
  function mapPage() {
    const chips = [];
    const edges = s('svg', { 'aria-hidden': 'true' });
    const map = h('div', { class: 'map' }, edges, bands().map((band, i) => h('section', { class: 'band', 'aria-labelledby': 'band' + i },
      h('h2', { id: 'band' + i }, band.folder),
      h('ul', null, band.nodes.map(node => {
        const chip = chips[node.number] = h('a', {
          class: ['chip', node.kind, node.state.replace(' ', ''), node.failed ? 'failed' : ''].join(' '), href: href(node.name),
          title: [node.description, LOOKS[node.state], node.rows == null ? '' : count(node.rows, 'row')].filter(Boolean).join('\n'),
        }, node.name);
        for (const event of ['mouseenter', 'focus']) chip.addEventListener(event, () => pick(node.number));
        for (const event of ['mouseleave', 'blur']) chip.addEventListener(event, () => pick(null));
        return h('li', null, chip);
      })))));
    let paths = [], picked = null;
    function draw() {
      const frame = map.getBoundingClientRect();
      const box = chips.map(chip => chip.offsetParent === null ? null : chip.getBoundingClientRect());
      paths = [];
      for (const node of nodes) for (const parent of node.reads) {
        const a = box[parent], b = box[node.number];
        if (!a || !b) continue;
        const down = b.top > a.bottom, x1 = a.left + a.width / 2 - frame.left, x2 = b.left + b.width / 2 - frame.left;
        const y1 = (down ? a.bottom : a.top) - frame.top, y2 = (down ? b.top : b.bottom) - frame.top, bend = Math.max(12, Math.abs(y2 - y1) / 2) * (down ? 1 : -1);
        const path = s('path', { class: 'edge', d: `M${x1.toFixed(1)} ${y1.toFixed(1)}C${x1.toFixed(1)} ${(y1 + bend).toFixed(1)} ${x2.toFixed(1)} ${(y2 - bend).toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}` });
        paths.push([path, parent, node.number]);
      }
      edges.replaceChildren(...paths.map(([path]) => path));
      if (picked !== null) mark();
    }
    function mark() {
      const above = picked === null ? new Set() : reach(picked, 'reads'), below = picked === null ? new Set() : reach(picked, 'readers');
      map.classList.toggle('picking', picked !== null);
      chips.forEach((chip, i) => {
        chip.classList.toggle('here', i === picked);
        chip.classList.toggle('above', above.has(i));
        chip.classList.toggle('below', below.has(i));
      });
      for (const [path, from, to] of paths) {
        path.classList.toggle('above', above.has(from) && (above.has(to) || to === picked));
        path.classList.toggle('below', below.has(to) && (below.has(from) || from === picked));
      }
    }
    function pick(which) { picked = which; mark(); }
    function narrow(event) {
      const wanted = event.target.value.trim().toLowerCase();
      let shown = 0;
      nodes.forEach((node, i) => {
        const hit = !wanted || node.name.toLowerCase().includes(wanted) || node.folder.includes(wanted) || node.tags.some(t => t.toLowerCase() === wanted);
        chips[i].classList.toggle('miss', !hit);
        shown += hit;
      });
      draw();
      say(count(shown, 'node') + ' shown');
    }
    drawEdges = draw;
    const built = nodes.filter(n => n.state === 'current').length, models = nodes.filter(n => n.kind !== 'source').length;
    const frame = flowFrame('Graph in layers');
    const filter = h('label', { class: 'row' }, h('span', { class: 'faint' }, 'Filter'), h('input', { type: 'search', id: 'filter', size: 18, placeholder: 'name, folder or tag', oninput: narrow }));
    const layout = h('select', null, [['folders', 'by folder'], ['layers', 'in layers']].map(([value, text]) => h('option', { value, selected: (value === 'layers') === (nodes.length <= FEW) }, text)));
    const hint = h('span', null, 'point at one to see what it is made from and what reads it');
    function arrange() {
      const layered = layout.value === 'layers';
      map.hidden = filter.hidden = hint.hidden = layered;
      frame.hidden = !layered;
      if (layered) layers(frame, new Set(nodes.keys()), null);
      else draw();
    }
    layout.addEventListener('change', arrange);
    drawEdges = () => { if (!map.hidden) draw(); };
    if (nodes.length <= MOST_IN_FLOW) arrange();
    else frame.hidden = true;
    return ['Graph', h('div', { class: 'row' },
      h('h1', { tabindex: -1 }, 'Graph'),
      h('span', { class: 'faint' }, `${count(models, 'model')}, ${count(nodes.length - models, 'source')}, ${count(nodes.reduce((n, x) => n + x.reads.length, 0), 'edge')}; ${built} up to date in ${index.environment}`),
      nodes.length <= MOST_IN_FLOW && h('label', { class: 'row' }, h('span', { class: 'faint' }, 'Layout'), layout), filter,
      h('span', { class: 'key' }, h('span', { class: 'chip source' }, 'source'), h('span', { class: 'chip table' }, 'table'), h('span', { class: 'chip view' }, 'view'),
        h('span', { class: 'chip table changed' }, 'changed or not built'), hint)), map, frame];
  }
  addEventListener('resize', () => requestAnimationFrame(() => drawEdges()));

  // -- the flow: neighbours of a model in layers ---------------------------------------------------------------------

  function around(start, up, down) {
    const chosen = new Set([start]);
    for (const [key, steps] of [['reads', up], ['readers', down]]) {
      let edge = [start];
      for (let i = 0; i < steps && edge.length; i += 1) {
        edge = [...new Set(edge.flatMap(n => nodes[n][key]))].filter(n => !chosen.has(n) || n === start);
        edge.forEach(n => chosen.add(n));
      }
    }
    return chosen;
  }
  async function layers(frame, chosen, here) {  // lay some nodes out in layers and draw them
    await load('assets/dagre.min.js');
    const g = new dagre.graphlib.Graph();
    g.setGraph({ rankdir: 'LR', nodesep: 10, ranksep: 44, marginx: 10, marginy: 10, ranker: 'tight-tree' });
    g.setDefaultEdgeLabel(() => ({}));
    for (const n of chosen) g.setNode(String(n), { width: nodes[n].name.length * 7.3 + 18, height: 24 });
    for (const n of chosen) for (const p of nodes[n].reads) if (chosen.has(p)) g.setEdge(String(p), String(n));
    dagre.layout(g);
    const { width, height } = g.graph();
    frame.replaceChildren(s('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'list' },
      s('defs', null, s('marker', { id: 'tip', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' }, s('path', { d: 'M0 0L8 4L0 8z' }))),
      g.edges().map(e => s('path', { class: 'edge', 'marker-end': 'url(#tip)', 'aria-hidden': 'true', d: 'M' + g.edge(e).points.map(p => p.x.toFixed(1) + ' ' + p.y.toFixed(1)).join('L') })),
      [...chosen].map(n => {
        const at = g.node(String(n));
        return s('g', { role: 'listitem' }, s('a', { href: href(nodes[n].name), 'aria-label': nodes[n].name + ', ' + nodes[n].kind, 'aria-current': n === here && 'true' },
          s('g', { class: ['box', nodes[n].kind, n === here ? 'here' : ''].join(' '), transform: `translate(${at.x - at.width / 2} ${at.y - at.height / 2})` },
            s('rect', { width: at.width, height: at.height, rx: nodes[n].kind === 'source' ? 12 : 5 }),
            s('text', { x: at.width / 2, y: 16, 'text-anchor': 'middle' }, nodes[n].name))));
      })));
    const box = frame.querySelector('.here rect');
    if (!box) return;
    const at = box.getBoundingClientRect(), view = frame.getBoundingClientRect();
    frame.scrollLeft += at.left + at.width / 2 - view.left - view.width / 2;
    frame.scrollTop += at.top - view.top - view.height / 2;
  }
  const flowFrame = label => h('div', { class: 'flow', tabindex: 0, role: 'group', 'aria-label': label });
  function flow(start) {
    const frame = flowFrame('Graph around ' + nodes[start].name);
    const note = h('span', { class: 'faint' });
    const choose = label => {
      const select = h('select', { 'aria-label': label }, [0, 1, 2, 3, 99].map(n => h('option', { value: n, selected: n === 1 }, n === 99 ? 'all' : n)));
      select.addEventListener('change', draw);
      return select;
    };
    const up = choose('Steps upstream'), down = choose('Steps downstream');
    function draw() {
      const chosen = around(start, +up.value, +down.value);
      note.textContent = count(chosen.size, 'node');
      if (chosen.size <= MOST_IN_FLOW) layers(frame, chosen, start);
      else frame.replaceChildren(h('p', null, 'Too many to lay out here. Take fewer steps, or point at the model on the Graph page.'));
    }
    draw();
    return [h('div', { class: 'row' }, h('label', null, 'Upstream ', up), h('label', null, 'Downstream ', down), note), frame];
  }

  // -- a loss curve --------------------------------------------------------------------------------------------------

  function curve(title, found) {
    const W = 440, H = 190, L = 56, R = 12, T = 12, B = 30;
    const trained = found.points.map(p => [p[0], p[1]]), valid = found.points.filter(p => p[2] != null).map(p => [p[0], p[2]]);
    const xs = trained.map(p => p[0]), ys = [...trained, ...valid].map(p => p[1]);
    let [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    if (x0 === x1) { x0 -= 1; x1 += 1; }
    if (y0 === y1) { y0 -= Math.abs(y0) / 2 || 1; y1 += Math.abs(y1) / 2 || 1; }
    const x = v => L + (v - x0) / (x1 - x0) * (W - L - R), y = v => T + (y1 - v) / (y1 - y0) * (H - T - B);
    const line = (points, kind) => points.length > 1
      ? s('path', { class: kind, d: 'M' + points.map(p => x(p[0]).toFixed(1) + ' ' + y(p[1]).toFixed(1)).join('L') })
      : points.map(p => s('circle', { class: kind, cx: x(p[0]), cy: y(p[1]), r: 3.5 }));
    const last = trained[trained.length - 1];
    const told = `${title}: loss ${number(trained[0][1])} at step ${number(trained[0][0])}, ${number(last[1])} at step ${number(last[0])}` +
      (valid.length ? `; best validation loss ${number(Math.min(...valid.map(p => p[1])))}` : '');
    const steps = x0 === x1 ? [x0] : [x0, (x0 + x1) / 2, x1];
    return h('figure', null,
      s('svg', { class: 'curve', viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': told },
        [y0, (y0 + y1) / 2, y1].map(v => [s('line', { class: 'axis', x1: L, x2: W - R, y1: y(v), y2: y(v) }), s('text', { class: 'tick', x: L - 6, y: y(v) + 4, 'text-anchor': 'end' }, number(v))]),
        steps.map((v, i) => s('text', { class: 'tick', x: x(v), y: H - 8, 'text-anchor': ['start', 'middle', 'end'][i] }, (i === 1 ? 'step ' : '') + number(Math.round(v)))),
        line(trained, 'train'), line(valid, 'valid')),
      h('figcaption', { class: 'faint' }, told, h('br'), h('code', null, found.checkpoint)));
  }

  // -- a model -------------------------------------------------------------------------------------------------------

  async function modelPage(name, column) {
    const at = byName.get(name);
    if (at === undefined) return missing('No model is called ' + name + '.');
    await load('data/nodes/' + at + '.js');
    const node = nodes[at], m = docs.nodes[at];
    const ends = (list, empty) => list.length ? h('ul', { class: 'plain' }, list.map(([other, col, via, guessed]) => h('li', null,
      col === '*' ? [h('a', { href: href(other) }, other), h('span', { class: 'faint' }, ', its rows')] : link(other, col),
      via && h('span', { class: 'faint' }, ' through ' + via), guessed && h('span', { class: 'warn' }, ' perhaps')))) : h('span', { class: 'faint' }, empty);
    const folded = (list, empty) => list.length > 6 ? h('details', null, h('summary', null, count(list.length, 'column')), ends(list, empty)) : ends(list, empty);
    const facts = [['State', state(node)], ['Kind', m.kind], ['Path', h('code', null, m.path)]];
    if (m.data) facts.push(['Data', h('code', null, m.data)]);
    if (m.grain.length) facts.push(['Grain', m.grain.join(', ')]);
    if (m.run) {
      facts.push(['Rows', number(m.run.rows)], ['Seconds', number(m.run.seconds)], ['Size', bytes(m.run.bytes)]);
      if (m.run.calls.distinct) facts.push(['Calls', number(m.run.calls.distinct)], ['From cache', number(m.run.calls.cached)], ['Failed', number(m.run.calls.failed)]);
      facts.push(['Built', m.run.built.replace('T', ' ').replace('+00:00', ' UTC')], ['Fingerprint', h('code', null, m.run.fingerprint)]);
    }
    for (const [title, values] of [['UDFs', m.udfs], ['Vars', Object.entries(m.vars).map(([k, v]) => k + ': ' + JSON.stringify(v))], ['Prompts', m.prompts], ['Macros', m.macros]]) {
      if (values.length > 3) facts.push([title, h('details', null, h('summary', null, values.length), values.map(v => h('div', null, h('code', null, v))))]);
      else if (values.length) facts.push([title, values.map((v, i) => [i ? ', ' : '', h('code', null, v)])]);
    }
    const rows = m.columns.map(c => h('tr', { id: 'c-' + c.name, class: c.name === column && 'target' },
      h('th', { scope: 'row' }, h('a', { href: href(name, c.name) }, c.name)), h('td', null, h('code', null, c.type)),
      h('td', null, prose(c.description), c.tests.length > 0 && h('div', { class: 'faint' }, c.tests.join(', '))),
      h('td', null, m.kind === 'source' ? h('span', { class: 'faint' }, 'a file') : folded(c.from, 'no column')), h('td', null, folded(c.to, 'no column'))));
    const page = [
      h('div', { class: 'row' }, h('h1', { tabindex: -1 }, name), m.tags.map(t => h('span', { class: 'tag' }, t))),
      m.description && h('p', null, prose(m.description)),
      h('dl', { class: 'facts' }, facts.map(([t, v]) => h('div', null, h('dt', null, t), h('dd', null, v)))),
      h('h2', null, 'Graph'), flow(at),
      h('h2', null, 'Columns'),
      h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Columns' }, h('table', null, h('caption', { class: 'hidden' }, 'Columns of ' + name),
        h('thead', null, h('tr', null, ['Column', 'Type', 'Description', 'Made from', 'Used by'].map(t => h('th', { scope: 'col' }, t)))), h('tbody', null, rows))),
      m.rows_from.length > 0 && h('details', null, h('summary', null, 'What decides which rows it has'), ends(m.rows_from, '')),
      m.rows_to.length > 0 && h('details', null, h('summary', null, 'What depends on which rows it has'), ends(m.rows_to, '')),
      m.curves.length > 0 && [h('h2', null, 'Training'), h('div', { class: 'curves' }, m.curves.map(c => curve(name, c)))],
      m.preview && [h('h2', null, 'Rows'), table('Rows of ' + name, m.preview.columns, m.preview.rows)],
      m.tests.length > 0 && [h('h2', null, 'Data tests'), table('Data tests of ' + name, ['Test', 'Column', 'Severity', 'State', 'Query'], m.tests.map(t => [t.name, t.column || '', t.severity,
        h('span', { class: t.state.replace(' ', '') }, t.state), h('details', null, h('summary', null, t.place), sql(t.sql))]))],
      m.sql && [h('h2', null, 'SQL'), tabs([['As written', m.sql], ['Compiled', m.compiled]])],
    ];
    return [name, ...page];
  }
  function tabs(choices) {
    const panel = h('div', { role: 'tabpanel', id: 'sqlpanel', 'aria-labelledby': 'tab0' });
    const buttons = choices.map(([title, text], i) => h('button', { type: 'button', role: 'tab', id: 'tab' + i, 'aria-controls': 'sqlpanel',
      onclick: () => show(i),
      onkeydown: e => { if (e.key === 'ArrowRight' || e.key === 'ArrowLeft') { show(1 - i); buttons[1 - i].focus(); } } }, title));
    function show(i) {
      buttons.forEach((b, j) => { b.setAttribute('aria-selected', String(i === j)); b.tabIndex = i === j ? 0 : -1; });
      panel.setAttribute('aria-labelledby', 'tab' + i);
      panel.replaceChildren(sql(choices[i][1]));
    }
    show(0);
    return [h('div', { role: 'tablist', 'aria-label': 'SQL', class: 'row' }, buttons), panel];
  }

  // -- the other pages -----------------------------------------------------------------------------------------------

  function modelsPage() {
    return ['Models', h('h1', { tabindex: -1 }, 'Models'), table('All models and sources', ['Name', 'Folder', 'Kind', 'State', 'Rows', 'Seconds', 'Tests', 'Description'],
      nodes.map(n => [link(n.name), n.folder, n.kind, state(n), n.rows, n.seconds, n.failed ? h('span', { class: 'failed' }, `${n.tests}, ${n.failed} failed`) : n.tests, n.description]))];
  }
  async function several(title, chosen, empty, show) {
    await Promise.all(chosen.map(n => load('data/nodes/' + n.number + '.js')));
    return [title, h('h1', { tabindex: -1 }, title), chosen.length ? chosen.map(n => [h('h2', null, link(n.name)), n.description && h('p', { class: 'faint' }, prose(n.description)), show(docs.nodes[n.number], n)]) : empty && h('p', null, prose(empty))];
  }
  async function metricsPage() {
    const page = await several('Metrics', nodes.filter(n => n.metrics), index.experiments.length ? '' : 'Nothing here yet: models with the tag `metrics` are shown once they are built, and experiments once they were run.',
      m => table('Rows of ' + m.name, m.preview.columns, m.preview.rows));
    return [...page, index.experiments.map(e => [h('h2', null, 'Experiment ' + e.name),
      e.figure && h('figure', null, h('img', { src: e.figure, alt: 'Figure of experiment ' + e.name + '; its values are in the table below', loading: 'lazy' })),
      h('details', { open: !e.figure }, h('summary', null, count(e.rows.length, 'row')), table('Results of experiment ' + e.name, e.columns, e.rows))])];
  }
  const checkpointsPage = () => several('Checkpoints', nodes.filter(n => n.curves), 'Nothing here yet: a model that returns `step`, `loss` and `checkpoint` is a training log, shown once it is built.',
    (m, n) => [h('p', { class: 'faint' }, state(n), `, trained in ${number(m.run.seconds)} s, ${bytes(m.run.bytes)}`), h('div', { class: 'curves' }, m.curves.map(c => curve(m.name, c)))]);
  const missing = text => ['Not found', h('h1', { tabindex: -1 }, 'Not found'), h('p', null, text, ' ', h('a', { href: '#/graph' }, 'Go to the graph.'))];

  // -- search --------------------------------------------------------------------------------------------------------

  const MOST_FOUND = 40;
  let entries = null;
  function search(text) {
    if (!entries) {
      entries = [];
      for (const n of nodes) {
        entries.push({ node: n.name, column: '', text: n.name.toLowerCase(), more: (n.description + ' ' + n.tags.join(' ')).toLowerCase() });
        for (const c of n.columns) entries.push({ node: n.name, column: c, text: c.toLowerCase(), more: n.name.toLowerCase() + '.' + c.toLowerCase() });
      }
    }
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    if (!words.length) return found;
    for (const e of entries) {
      let rank = e.column ? 1 : 0;
      for (const word of words) {
        if (e.text === word) rank += 0;
        else if (e.text.startsWith(word)) rank += 2;
        else if (e.text.includes(word)) rank += 4;
        else if (e.more.includes(word)) rank += 8;
        else { rank = -1; break; }
      }
      if (rank >= 0) found.push([rank, e]);
    }
    return found.sort((a, b) => a[0] - b[0]).map(f => f[1]);
  }
  const input = $('search'), list = $('found');
  let options = [], active = -1;
  function offer() {
    const found = search(input.value);
    options = found.slice(0, MOST_FOUND);
    active = options.length ? 0 : -1;
    list.replaceChildren(...options.map((e, i) => h('li', { role: 'option', id: 'o' + i, onmousedown: event => { event.preventDefault(); go(i); } },
      e.column ? [e.column, h('small', null, '  column of ' + e.node)] : [e.node, h('small', null, '  ' + nodes[byName.get(e.node)].kind)])));
    const open = input.value.trim() !== '';
    if (open && !options.length) list.append(h('li', { role: 'option', 'aria-disabled': 'true', id: 'o0' }, 'nothing found'));
    list.hidden = !open;
    input.setAttribute('aria-expanded', String(open));
    say(open ? count(found.length, 'result') : '');
    move(0);
  }
  function move(by) {
    if (options.length) active = (active + by + options.length) % options.length;
    [...list.children].forEach((li, i) => li.setAttribute('aria-selected', String(i === active)));
    if (active >= 0 && options.length) { input.setAttribute('aria-activedescendant', 'o' + active); list.children[active].scrollIntoView({ block: 'nearest' }); }
    else input.removeAttribute('aria-activedescendant');
  }
  function go(i) {
    const e = options[i];
    if (!e) return;
    input.value = '';
    offer();
    location.hash = href(e.node, e.column);
  }
  input.addEventListener('input', offer);
  input.addEventListener('blur', () => { list.hidden = true; input.setAttribute('aria-expanded', 'false'); });
  input.addEventListener('focus', () => { if (input.value.trim()) offer(); });
  input.addEventListener('keydown', event => {
    const act = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => go(active), Escape: () => { input.value = ''; offer(); } }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  addEventListener('keydown', event => {
    if (event.key === '/' && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); input.focus(); }
  });

  // -- colours, pages ------------------------------------------------------------------------------------------------

  const system = matchMedia('(prefers-color-scheme: dark)');
  const stored = () => { try { return localStorage.getItem('llmi2i-theme'); } catch (_) { return null; } };
  function paint() {
    const dark = (stored() || (system.matches ? 'dark' : 'light')) === 'dark';
    document.documentElement.classList.toggle('dark', dark);
    $('theme').setAttribute('aria-pressed', String(dark));
  }
  $('theme').addEventListener('click', () => {
    const dark = !document.documentElement.classList.contains('dark');
    try { localStorage.setItem('llmi2i-theme', dark ? 'dark' : 'light'); } catch (_) { /* a browser that keeps nothing */ }
    paint();
    document.documentElement.classList.toggle('dark', dark);
    $('theme').setAttribute('aria-pressed', String(dark));
  });
  system.addEventListener('change', paint);
  paint();

  const PAGES = [['graph', 'Graph', mapPage], ['models', 'Models', modelsPage], ['metrics', 'Metrics', metricsPage], ['checkpoints', 'Checkpoints', checkpointsPage]];
  let turn = 0;
  async function show(first) {
    const parts = location.hash.replace(/^#\/?/, '').split('/').map(p => { try { return decodeURIComponent(p); } catch (_) { return p; } });
    const mine = turn += 1, name = parts[0] || 'graph', page = PAGES.find(p => p[0] === name);
    drawEdges = () => {};
    let made;
    try {
      made = await (name === 'model' ? modelPage(parts[1] || '', parts[2]) : page ? page[2]() : missing('There is no such page.'));
    } catch (error) {
      made = missing(String(error.message || error));
    }
    if (mine !== turn) return;  // a newer page was asked for
    const [title, ...content] = made;
    document.title = title + ' · ' + index.project;
    $('nav').replaceChildren(...PAGES.map(([id, text]) => h('a', { href: '#/' + id, 'aria-current': id === name && 'page' }, text)));
    $('main').replaceChildren(...content.flat(Infinity).filter(Boolean));
    drawEdges();
    const target = parts[2] && document.getElementById('c-' + parts[2]);
    if (target) { target.scrollIntoView({ block: 'center' }); target.querySelector('a').focus({ preventScroll: true }); }
    else { scrollTo(0, 0); if (!first) $('main').querySelector('h1').focus({ preventScroll: true }); }
    document.documentElement.dataset.page = name;
  }
  $('brand').textContent = index.project;
  $('footer').textContent = `llmi2i ${index.version}, environment ${index.environment}, written ${index.generated.replace('T', ' ').replace('+00:00', ' UTC')}. Nothing is loaded from elsewhere.`;
  document.querySelector('.skip').addEventListener('click', event => { event.preventDefault(); $('main').focus(); });
  addEventListener('hashchange', () => show(false));
  show(true);
})();
