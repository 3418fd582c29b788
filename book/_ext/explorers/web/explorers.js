/* The explorers: what a month costs on tokens, machines and model units; whether a model fits, and how fast it would answer.
   A classic script without dependencies, loaded on its pages only; it works in a page opened from a folder. The upper part holds the
   formulas of labs/economics and labs/serving, which tests/site/test_explorers.py compares with the originals; the lower part is the page. */
(function () {
  "use strict";

  /* ---- labs/serving: memory ---- */
  function memoryPlan(data, model, machine, dtype, devices) {
    var shape = data.models[model].shape, host = data.machines[machine], chip = data.chips[host.chip];
    var neuron = chip.kind === "neuron", size = chip.memory / chip.cores;
    var kvType = dtype === "fp8" && chip.flopsFp8 && chip.kind === "gpu" ? "fp8" : "bf16";
    var copies = Math.max(1, devices / shape.kv_heads);  /* a device holds at least one key-value head */
    var total = devices * size, usable = total * (neuron ? 1 : data.memory.utilisation);
    var weights = shape.parameters * data.weightBytes[dtype];
    var reserve = neuron ? 0 : devices * data.memory.reserve_bytes;
    var perToken = 2 * (shape.layers - shape.sliding_layers) * shape.kv_heads * shape.head_dim * data.kvBytes[kvType] * copies;
    return {
      devices: devices, total: total, usable: usable, weights: weights, reserve: reserve, perToken: perToken, kvType: kvType,
      cache: usable - weights - reserve, cacheTokens: Math.floor((usable - weights - reserve) / perToken)
    };
  }

  function allDevices(data, machine) {
    var host = data.machines[machine], chip = data.chips[host.chip];
    return chip.kind === "neuron" ? Math.min(host.count * chip.cores, 64) : host.count * chip.cores / coresOfCpu(chip);
  }
  function coresOfCpu(chip) { return chip.kind === "neuron" ? 1 : chip.cores; }

  /* What a server does unless told otherwise: on GPUs the smallest power of two on which the model fits with some cache to spare. */
  function usualDevices(data, model, machine, dtype) {
    var most = allDevices(data, machine), devices = 1, chip = data.chips[data.machines[machine].chip];
    if (chip.kind === "neuron") { return most; }
    function tight(count) { var plan = memoryPlan(data, model, machine, dtype, count); return plan.cache < 0.1 * plan.usable; }
    while (devices < most && tight(devices)) { devices *= 2; }
    return Math.min(devices, most);
  }

  /* ---- labs/serving: the laws of speed ---- */
  function gpuLaw(data, shape, chip, dtype, kvType, count) {
    var c = chip.constants, fp8 = dtype === "fp8" && chip.flopsFp8;
    var read = count * chip.bandwidth * c.bandwidth_efficiency;
    var flops = fp8 ? chip.flopsFp8 : chip.flops;
    var compute = count * flops * (fp8 ? c.compute_efficiency_fp8 : c.compute_efficiency);
    var lookedUp = shape.tied_embeddings ? 0 : shape.vocabulary * shape.hidden;
    var expert = shape.experts > 1 ? 3 * shape.hidden * shape.intermediate * shape.layers : 0;
    var bytes = data.weightBytes[dtype], dense = (shape.parameters - lookedUp - expert * shape.experts) * bytes / read;
    var full = shape.layers - shape.sliding_layers, share = Math.max(1, count / shape.kv_heads);
    var reduces = count > 1 ? 2 * shape.layers : 0;
    var perToken = 2 * (shape.active_parameters - lookedUp) / compute;
    var perPair = 4 * full * shape.heads * shape.head_dim / (count * flops * c.compute_efficiency);
    var overhead = c.step_overhead_s + reduces * chip.link.all_reduce_s;
    var reduce = reduces * shape.hidden * 2 * 2 * (count - 1) / count / chip.link.bytes_per_s;
    function weights(tokens) {
      if (shape.experts <= 1) { return dense; }
      return dense + shape.experts * (1 - Math.pow(1 - shape.active_experts / shape.experts, tokens)) * expert * bytes / read;
    }
    return {
      perCached: 2 * full * shape.kv_heads * shape.head_dim * data.kvBytes[kvType] * share / read,
      decode: function (batch) { return Math.max(weights(batch), batch * perToken) + overhead + batch * (c.per_sequence_s + reduce); },
      mixed: function (batch, prompt, pairs) {
        var tokens = batch + prompt;
        return Math.max(weights(tokens), tokens * perToken) + pairs * perPair + overhead + batch * c.per_sequence_s + tokens * reduce;
      }
    };
  }

  function neuronLaw(data, shape, chip, dtype, cores) {
    var c = chip.constants, bandwidth = chip.bandwidth / chip.cores, compute = cores * chip.flops / chip.cores;
    var lookedUp = shape.tied_embeddings ? 0 : shape.vocabulary * shape.hidden;
    var base = (shape.parameters - lookedUp) * data.weightBytes[dtype] / (cores * bandwidth * c.bandwidth_efficiency) + shape.layers * c.layer_s;
    var flops = 2 * (shape.active_parameters - lookedUp);
    var perSequence = flops / (compute * c.decode_compute_efficiency);
    var perToken = flops / (compute * c.prefill_compute_efficiency) + 2 * shape.layers * shape.hidden * 2 / c.prefill_collective_bytes_per_s;
    var perPair = 4 * shape.layers * shape.heads * shape.head_dim / (compute * c.prefill_attention_efficiency);
    function decode(batch) { return base + batch * perSequence; }
    return {
      perCached: 2 * shape.layers * Math.max(1, shape.kv_heads / cores) * shape.head_dim * 2 / (bandwidth * c.cache_efficiency),
      decode: decode,
      mixed: function (batch, prompt, pairs) {
        return base + c.prefill_host_s + prompt * perToken + pairs * perPair + (batch ? decode(batch) : 0);
      }
    };
  }

  function deployment(data, model, machine, dtype, devices) {
    var shape = data.models[model].shape, chip = data.chips[data.machines[machine].chip];
    var plan = memoryPlan(data, model, machine, dtype, devices);
    plan.neuron = chip.kind === "neuron";
    plan.law = plan.neuron ? neuronLaw(data, shape, chip, dtype, devices) : gpuLaw(data, shape, chip, dtype, plan.kvType, devices);
    plan.budget = chip.budget;
    plan.seats = chip.budget <= chip.seats ? Math.max(1, chip.budget - 1) : chip.seats;
    plan.ingress = plan.neuron ? 0 : data.ingress;
    plan.context = shape.context_tokens;
    return plan;
  }

  /* Seconds that a prompt's chunks take, in steps in which `others` sequences go on writing. */
  function promptSeconds(plan, others, input, cached) {
    var seconds = 0, done = 0, budget = Math.max(1, plan.budget - others), steps = 0;
    while (done < input) {
      var chunk = Math.min(budget, input - done);
      seconds += plan.law.mixed(others, chunk, chunk * (done + chunk / 2)) + others * cached * plan.law.perCached;
      done += chunk;
      steps += 1;
    }
    return { seconds: seconds, steps: steps };
  }

  /* `batch` requests in flight, each at a random place of its life: what one step, a first token and a whole answer take. */
  function estimate(plan, batch, input, output) {
    var cached = input + output / 2, step = plan.law.decode(batch) + batch * cached * plan.law.perCached;
    var first = promptSeconds(plan, batch - 1, input, cached), shared = promptSeconds(plan, batch, input, cached);
    var extra = shared.seconds - shared.steps * step;  /* what somebody else's prompt adds to everybody's answer */
    var answer = output * step + batch * extra;
    return {
      step: step, ttft: plan.ingress + first.seconds, alone: plan.ingress + promptSeconds(plan, 0, input, cached).seconds,
      tpot: answer / output, answer: answer, perSecond: batch / answer
    };
  }

  function mostInFlight(plan, input, output) { return Math.max(0, Math.min(plan.seats, Math.floor(plan.cacheTokens / (input + output)))); }

  /* Requests a second of a full batch: what no queue beats for long. 0 where not even one fits. */
  function ceiling(plan, input, output) {
    var batch = input + output > plan.context ? 0 : mostInFlight(plan, input, output);
    return batch < 1 ? 0 : estimate(plan, batch, input, output).perSecond;
  }

  /* ---- labs/economics: three bills of a month ---- */
  function tokenBill(offer, requests, input, output) { return requests * (input * offer.input + output * offer.output) / 1e6; }
  function instancesFor(perSecond, perMinute, fill, redundancy) {
    return perSecond > 0 ? Math.max(redundancy, Math.ceil(perMinute / 60 / (perSecond * fill) - 1e-9)) : Infinity;
  }
  function hourBill(count, usdPerHour, hours, discount) { return count * usdPerHour * hours * (1 - discount); }
  function unitsFor(tokensPerMinute, each) { return Math.max(1, Math.ceil(tokensPerMinute / each - 1e-9)); }

  /* The settings of the page at another place of its lower axis. Tokens keep the proportion of in and out. */
  function moved(state, x) {
    var next = Object.assign({}, state), factor = x / (state.input + state.output);
    if (state.axis === "rpm") { next.rpm = x; } else { next.input = state.input * factor; next.output = state.output * factor; }
    return next;
  }

  function month(data, state, plan) {
    var offer = data.offers[state.offer], machine = data.machines[state.machine], tokens = state.input + state.output;
    var perSecond = ceiling(plan, state.input, state.output);
    var count = instancesFor(perSecond, state.rpm, state.fill / 100, state.redundancy), up = state.sleeps ? state.hours : data.hours;
    var units = unitsFor(state.rpm * tokens, state.unit_tokens);
    var inQuota = !offer.fixed || state.rpm * tokens <= offer.quota;
    return {
      tokens: inQuota ? tokenBill(offer, state.rpm * 60 * state.hours, state.input, state.output) : Infinity,
      machine: hourBill(count, machine.usd, up, state.discount / 100),
      units: hourBill(units, state.unit_usd, data.hours, 0),
      count: count, unitCount: units, perSecond: perSecond, inQuota: inQuota,
      use: perSecond > 0 ? state.rpm / 60 / (count * perSecond) * state.hours / up : 0
    };
  }

  /* Where the cheaper of two bills changes between `low` and `high`: places, and which is cheaper from there on. */
  function crossings(bills, first, second, low, high) {
    var found = [], steps = 400, before = null, place = low;
    function sign(x) { var bill = bills(x); return bill[first] === bill[second] ? 0 : bill[first] < bill[second] ? -1 : 1; }
    for (var i = 0; i <= steps; i++) {
      var x = low * Math.pow(high / low, i / steps), now = sign(x);
      if (before !== null && now !== before && now !== 0) {
        var near = place, far = x;
        for (var k = 0; k < 50; k++) {
          var middle = Math.sqrt(near * far);
          if (sign(middle) === before) { near = middle; } else { far = middle; }
        }
        found.push({ at: far, cheaper: now < 0 ? first : second, usd: bills(far)[now < 0 ? first : second] });
      }
      if (now !== 0) { before = now; }
      place = x;
    }
    return found;
  }

  window.DDExplorer = {
    memoryPlan: memoryPlan, deployment: deployment, usualDevices: usualDevices, allDevices: allDevices, estimate: estimate,
    ceiling: ceiling, mostInFlight: mostInFlight, month: month, moved: moved, crossings: crossings, tokenBill: tokenBill
  };

  /* ================================================================ the page */
  var box = document.getElementById("explorer"), source = document.getElementById("dd-explorer-data");
  if (!box || !source) { return; }
  var data = JSON.parse(source.textContent), form = box.querySelector("form");
  function part(name) { return box.querySelector(".x-" + name); }
  function escaped(text) { return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;"); }
  function rounded(value, places) { return value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }); }
  function whole(value) { return rounded(value, 0); }
  function usd(value) { return isFinite(value) ? "$" + (value < 100 ? rounded(value, 2) : whole(value)) : "not possible"; }
  function amount(value) { return value >= 100 ? whole(value) : rounded(value, value >= 10 ? 1 : 2).replace(/\.?0+$/, ""); }
  function seconds(value) { return value < 1 ? whole(value * 1000) + " ms" : rounded(value, value < 10 ? 1 : 0) + " s"; }

  /* ---- sliders: logarithmic where the range spans more than two decades; beside each a field for the exact number ---- */
  var WHOLE = { redundancy: 1, devices: 1, batch: 1 };
  function logarithmic(field) { return Number(field.min) > 0 && field.max / field.min > 100; }
  function clamped(field) {
    var value = parseFloat(field.value), low = Number(field.min), high = Number(field.max);
    if (!isFinite(value)) { value = Number(field.defaultValue); }
    value = Math.min(high, Math.max(low, value));
    return WHOLE[field.name] ? Math.round(value) : value;
  }
  function toSlider(field, slider) {
    var low = Number(field.min), high = Number(field.max), value = clamped(field);
    var place = logarithmic(field) ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    slider.value = Math.round(1000 * place);
    slider.setAttribute("aria-valuetext", (amount(value) + " " + unitOf(field)).trim());
  }
  function unitOf(field) { var unit = field.parentNode.querySelector(".x-unit"); return unit ? unit.textContent : ""; }
  function fromSlider(slider, field) {
    var low = Number(field.min), high = Number(field.max), place = slider.value / 1000;
    var value = logarithmic(field) ? low * Math.pow(high / low, place) : low + place * (high - low);
    var digits = Math.pow(10, Math.max(0, Math.floor(Math.log10(value || 1)) - 1));
    field.value = WHOLE[field.name] || value >= 10 ? Math.min(high, Math.max(low, Math.round(value / digits) * digits)) : Math.round(value * 10) / 10;
  }
  var sliders = Array.prototype.slice.call(box.querySelectorAll("input[type=range]"));
  function sync() { sliders.forEach(function (slider) { toSlider(document.getElementById(slider.dataset.for), slider); }); }

  function read() {
    var state = {};
    Array.prototype.forEach.call(form.elements, function (field) {
      if (field.name) { state[field.name] = field.type === "checkbox" ? field.checked : field.type === "number" ? clamped(field) : field.value; }
    });
    return state;
  }
  function set(name, value) { form.elements[name].value = value; }

  /* ---- drawing ---- */
  var W = 640, H = 360, LEFT = 54, RIGHT = 14, TOP = 28, BOTTOM = 46;
  /* As wide as there is room, so that letters keep their size on a telephone. */
  function measure() { W = Math.max(300, Math.min(720, part("plot").clientWidth || 640)); H = Math.max(270, Math.min(360, Math.round(W * 0.56))); }
  function scale(low, high, from, to) { var k = (to - from) / Math.log(high / low); return function (value) { return from + k * Math.log(value / low); }; }
  function decades(low, high) {
    var found = [];
    for (var power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.log10(high) + 1e-9; power++) { found.push(Math.pow(10, power)); }
    return found;
  }
  function short(value) { return value >= 1e6 ? value / 1e6 + "M" : value >= 1000 ? value / 1000 + "k" : String(+value.toPrecision(3)); }
  function text(x, y, words, more) { return '<text x="' + x.toFixed(1) + '" y="' + y.toFixed(1) + '" ' + (more || "") + ">" + escaped(words) + "</text>"; }
  function axes(xs, ys, x, y, xTitle, yTitle, prefix) {
    var out = xs.map(function (value) {
      return '<line class="x-grid" x1="' + x(value) + '" x2="' + x(value) + '" y1="' + TOP + '" y2="' + (H - BOTTOM) + '"/>' + text(x(value), H - BOTTOM + 17, short(value), 'text-anchor="middle"');
    }).concat(ys.map(function (value) {
      return '<line class="x-grid" y1="' + y(value) + '" y2="' + y(value) + '" x1="' + LEFT + '" x2="' + (W - RIGHT) + '"/>' + text(LEFT - 7, y(value) + 4, prefix + short(value), 'text-anchor="end"');
    }));
    return out.join("") + text((LEFT + W - RIGHT) / 2, H - 8, xTitle, 'text-anchor="middle"') +
      text(4, TOP - 13, yTitle, 'class="x-soft"');
  }
  /* A line, or a staircase, which goes straight on and then straight up. */
  function path(points, x, y, kind) {
    var pen = false, stairs = kind === "machine" || kind === "units", d = points.map(function (point) {
      if (!isFinite(point[1])) { pen = false; return ""; }
      var move = (pen ? stairs ? "H" + x(point[0]).toFixed(1) + "V" : "L" + x(point[0]).toFixed(1) + " " : "M" + x(point[0]).toFixed(1) + " ") + y(point[1]).toFixed(1);
      pen = true;
      return move;
    }).join("");
    return '<path class="x-line x-' + kind + '" clip-path="url(#x-clip)" d="' + d + '"/>';
  }
  function clip() {
    return '<clipPath id="x-clip"><rect x="' + LEFT + '" y="' + TOP + '" width="' + (W - LEFT - RIGHT) + '" height="' + (H - BOTTOM - TOP) + '"/></clipPath>';
  }
  function svg(title, inner) {
    return '<svg viewBox="0 0 ' + W + " " + H + '" role="img" aria-label="' + escaped(title).replace(/"/g, "&quot;") + '">' + inner + "</svg>";
  }
  function table(head, rows) {
    return "<table><thead><tr>" + head.map(function (cell) { return '<th scope="col">' + escaped(cell) + "</th>"; }).join("") + "</tr></thead><tbody>" +
      rows.map(function (row) { return "<tr>" + row.map(function (cell, i) { return i ? "<td>" + escaped(cell) + "</td>" : '<th scope="row">' + escaped(cell) + "</th>"; }).join("") + "</tr>"; }).join("") + "</tbody></table>";
  }
  /* The sentence stands there at once, and is read out when the slider has come to rest. */
  var later = 0, heard = "";
  function tell(verdict) {
    part("verdict").textContent = verdict;
    clearTimeout(later);
    if (heard) { later = setTimeout(function () { heard = verdict; part("said").textContent = verdict; }, 700); } else { heard = verdict; }
  }
  function notes(list) { part("notes").innerHTML = list.length ? "<ul>" + list.map(function (note) { return "<li>" + escaped(note) + "</li>"; }).join("") + "</ul>" : ""; }

  /* ---- break-even ---- */
  var NAMES = { tokens: "tokens", machine: "the instance", units: "model units" };
  var LEGEND = '<p class="x-legend">' + [["tokens", "tokens"], ["machine", "the machine"], ["units", "model units, assumed"]].map(function (pair) {
    return '<span><svg class="x-key" viewBox="0 0 34 8" aria-hidden="true"><path class="x-line x-' + pair[0] + '" d="M0 4H34"/></svg>' + pair[1] + "</span>";
  }).join("") + "</p>";
  var ranges = { tokens: [100, 20000], rpm: [1, 10000] };

  function breakEven(state) {
    var offer = data.offers[state.offer], what = state.axis === "rpm" ? "requests a minute" : "tokens a request";
    var plan = deployment(data, state.model, state.machine, state.dtype, allDevices(data, state.machine));
    var here = state.axis === "rpm" ? state.rpm : state.input + state.output;
    var low = Math.min(ranges[state.axis][0], here / 2), high = Math.max(ranges[state.axis][1], here * 2);
    function bills(x) { return month(data, moved(state, x), plan); }
    var now = month(data, state, plan), points = [];
    for (var i = 0; i <= 240; i++) { var at = low * Math.pow(high / low, i / 240); points.push([at, bills(at)]); }

    var order = ["tokens", "machine", "units"].sort(function (a, b) { return now[a] - now[b]; });
    var found = crossings(bills, "tokens", "machine", low, high);
    var best = order[0], verdict = "Now: " + (isFinite(now.tokens) ? usd(now.tokens) + " a month for tokens, " : "no tokens, whose fixed quota has ended, ") +
      (isFinite(now.machine) ? usd(now.machine) + " for " + now.count + " × " + state.machine : "no " + state.machine + ", on which such requests do not fit") +
      ", " + usd(now.units) + " for " + now.unitCount + (now.unitCount > 1 ? " model units" : " model unit") + " (assumed). ";
    verdict += isFinite(now[best]) ? (best === "tokens" ? "Tokens are" : best === "machine" ? "The machine is" : "Model units would be") + " cheapest. " : "";
    if (!found.length) {
      var middle = bills(Math.sqrt(low * high));
      verdict += isFinite(middle.machine) && isFinite(middle.tokens) ? "Between " + amount(low) + " and " + amount(high) + " " + what + " the answer does not flip: " + (middle.tokens < middle.machine ? "tokens stay cheaper than the machine." : "the machine stays cheaper than tokens.") : "Tokens and machine never meet here.";
    } else {
      verdict += found.slice(0, 3).map(function (cross, k) {
        var quota = cross.cheaper === "machine" && !bills(cross.at * 1.0001).inQuota;
        return (k ? "then at " : "The answer flips at ") + amount(cross.at) + " " + what + " (" + (quota ? "the fixed quota ends there; " : "") + NAMES[cross.cheaper] + " from there on)";
      }).join(", ") + ".";
    }
    tell(verdict);

    var finite = [now.tokens, now.machine, now.units].filter(isFinite);
    var bottom = Math.pow(10, Math.floor(Math.log10(Math.max(0.1, Math.min.apply(null, finite)))) - 1);
    var top = Math.pow(10, Math.ceil(Math.log10(Math.max.apply(null, finite))) + 1);
    var x = scale(low, high, LEFT, W - RIGHT), y = scale(bottom, top, H - BOTTOM, TOP);
    var inner = clip() + axes(decades(low, high), decades(bottom, top), x, y, what + " (log scale)", "dollars a month (log scale)", "$");
    inner += '<line class="x-here" x1="' + x(here) + '" x2="' + x(here) + '" y1="' + TOP + '" y2="' + (H - BOTTOM) + '"/>' + text(x(here) + 5, H - BOTTOM - 8, "now", 'class="x-soft"');
    ["units", "machine", "tokens"].forEach(function (name) { inner += path(points.map(function (point) { return [point[0], point[1][name]]; }), x, y, name); });
    if (offer.fixed && (state.axis === "rpm" || state.rpm)) {
      var end = state.axis === "rpm" ? offer.quota / (state.input + state.output) : offer.quota / state.rpm;
      if (end > low && end < high) { inner += '<line class="x-quota" x1="' + x(end) + '" x2="' + x(end) + '" y1="' + TOP + '" y2="' + (H - BOTTOM) + '"/>' + text(x(end) + 5, TOP + 16, "quota ends", 'class="x-soft"'); }
    }
    found.slice(0, 3).forEach(function (cross) { if (cross.usd >= bottom && cross.usd <= top) { inner += '<circle class="x-cross" cx="' + x(cross.at) + '" cy="' + y(cross.usd) + '" r="6"/>'; } });
    part("plot").innerHTML = LEGEND + svg("A month's cost by " + what + ". " + verdict, inner);
    part("caption").innerHTML = "What does the month cost, and where does the cheapest way change? <em>List prices of us-east-1, read between " + data.dates[0] + " and " + data.dates[1] + "; instances sized by the course's speed laws: predicted, not measured.</em>";

    var said = [];
    if (now.perSecond > 0) {
      said.push("One " + state.machine + " carries at most about " + amount(now.perSecond * 60) + " such requests a minute (predicted), so " + now.count + (now.count > 1 ? " are" : " is") + " needed at " + state.fill + " % fill; " + Math.round(now.use * 100) + " % of what is paid for is in use.");
    } else {
      said.push(data.models[state.model].name + " in " + state.dtype.toUpperCase() + " with requests of " + whole(state.input + state.output) + " tokens does not fit on " + state.machine + ".");
    }
    if (offer.fixed) { said.push("The quota of this customised model is fixed: " + whole(offer.quota) + " tokens a minute. That it costs what its base model costs is an assumption."); }
    if (!offer.units) { said.push("Provisioned Throughput is not offered for " + offer.name.replace(", tuned in Bedrock", "") + ": that curve is what units would cost if it were."); }
    else if (offer.legacy) { said.push("Bedrock sells no new model units for a Legacy model: that curve is what they would cost if it did."); }
    if (state.machine.indexOf("ml.") !== 0) { said.push("An EC2 machine's price leaves out the cluster, the load balancer and the hours of the people who run it."); }
    notes(said);
    part("scroll").innerHTML = table([what, "tokens", "machine", "instances", "model units"], [0, 30, 60, 90, 120, 150, 180, 210, 240].map(function (k) {
      var bill = points[k][1];
      return [amount(points[k][0]), bill.inQuota ? usd(bill.tokens) : "over the quota", usd(bill.machine), isFinite(bill.count) ? String(bill.count) : "none", usd(bill.units)];
    }));
  }

  /* ---- memory and latency ---- */
  function estimator(state) {
    var host = data.machines[state.machine], chip = data.chips[host.chip], most = allDevices(data, state.machine), field = form.elements.devices;
    field.max = Math.max(2, most);
    if (state.devices > most) { state.devices = most; field.value = most; }
    var plan = deployment(data, state.model, state.machine, state.dtype, state.devices), tokens = state.input + state.output;
    var room = mostInFlight(plan, state.input, state.output), fits = plan.cache >= 0 && room >= 1 && tokens <= plan.context;
    var GB = 1e9, used = state.batch * tokens * plan.perToken, verdict;
    function gb(bytes) { return rounded(bytes / GB, bytes < 10 * GB ? 2 : 1) + " GB"; }
    if (tokens > plan.context) { verdict = "No: " + data.models[state.model].name + " reads " + whole(plan.context) + " tokens at most, prompt and answer together."; }
    else if (plan.cache < 0) { verdict = "It does not fit: weights of " + gb(plan.weights) + " and a reserve of " + gb(plan.reserve) + " are more than the " + gb(plan.usable) + " that may be used."; }
    else if (!fits) { verdict = "The weights fit, but the " + gb(plan.cache) + " that are left do not hold one request of " + whole(tokens) + " tokens."; }
    else {
      var guess = estimate(plan, Math.min(state.batch, room), state.input, state.output);
      verdict = (state.batch <= room ? "It fits: room for " + whole(room) + " requests of " + whole(tokens) + " tokens. With " + whole(state.batch) + " in flight" : "Only " + whole(room) + " of " + whole(state.batch) + " requests have room; the rest wait. With " + whole(room) + " in flight") +
        " the first token takes about " + seconds(guess.ttft) + ", each further one " + seconds(guess.tpot) + ", an answer " + seconds(guess.answer) + ": " + amount(guess.perSecond * 60) + " requests a minute.";
    }
    tell(verdict);

    /* where the memory goes, and below it how the time of a token grows */
    var end = Math.max(plan.total, plan.weights + plan.reserve + used), inner = "", at = 4, wide = W - 4 - RIGHT, bar = 42;
    [["weights", plan.weights], ["reserve", plan.reserve], ["cache", used]].forEach(function (piece) {
      var width = piece[1] / end * wide;
      inner += '<rect class="x-bar x-bar-' + piece[0] + '" x="' + at + '" y="' + bar + '" width="' + Math.max(0, width) + '" height="30"/>';
      if (width > 70) { inner += text(at + width / 2, bar + 20, piece[0] === "cache" ? "KV cache" : piece[0], 'text-anchor="middle" class="x-on-bar-' + piece[0] + '"'); }
      at += width;
    });
    inner += '<rect class="x-frame" x="4" y="' + bar + '" width="' + plan.total / end * wide + '" height="30"/>';
    var limit = 4 + plan.usable / end * wide;
    inner += '<line class="x-quota" x1="' + limit + '" x2="' + limit + '" y1="' + (bar - 6) + '" y2="' + (bar + 40) + '"/>' + text(limit, bar + 54, "may be used: " + gb(plan.usable), 'text-anchor="end" class="x-soft"');
    inner += text(4, 15, gb(plan.total) + " on " + state.devices + " of " + most + " devices", "") + text(4, 33, "weights " + gb(plan.weights) + ", cache asked for " + gb(used), "");
    var rows = [];
    if (fits) {
      var points = [], highest = Math.max(2, room);
      for (var i = 0; i <= 80; i++) { var b = Math.pow(highest, i / 80); points.push([b, estimate(plan, b, state.input, state.output).tpot * 1000]); }
      var lowMs = points[0][1], highMs = points[80][1], bottom = lowMs * 0.8, top = Math.max(highMs * 1.1, lowMs * 2), keep = TOP;
      TOP = 134;
      inner += clip();
      var x = scale(1, highest, LEFT, W - RIGHT), y = scale(bottom, top, H - BOTTOM, TOP);
      var ticks = decades(1, highest), levels = [lowMs, Math.sqrt(lowMs * top / 1.1), top / 1.1].map(function (v) { return Math.round(v); });
      inner += axes(ticks, levels, x, y, "requests in flight (log scale)", "ms per token", "") + path(points, x, y, "plain");
      var mark = Math.min(state.batch, room);
      inner += '<circle class="x-cross" cx="' + x(mark) + '" cy="' + y(estimate(plan, mark, state.input, state.output).tpot * 1000) + '" r="6"/>';
      TOP = keep;
      [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024].filter(function (b) { return b < room; }).concat([room]).forEach(function (b) {
        var guess = estimate(plan, b, state.input, state.output);
        rows.push([whole(b), gb(b * tokens * plan.perToken), seconds(guess.ttft), rounded(guess.tpot * 1000, 1) + " ms", seconds(guess.answer), amount(guess.perSecond * 60)]);
      });
    }
    part("plot").innerHTML = svg("Memory and time per token. " + verdict, inner);
    part("caption").innerHTML = "Where does the memory go, and what does company cost? <em>Predicted by the closed form of the course's speed laws, not measured.</em>";
    var said = ["A token takes " + whole(plan.perToken / 1000) + " kB of cache in " + plan.kvType.toUpperCase() + "; one request of " + whole(tokens) + " tokens takes " + gb(tokens * plan.perToken) + ", and the cache holds " + whole(Math.max(0, plan.cacheTokens)) + " tokens.",
      "A first token is counted without waiting for a seat. Close to a full cache requests do wait, and the engine (lab simulate) shows it."];
    if (plan.neuron) { said.push("Continuous batches on Neuron are not calibrated."); }
    if (chip.kind === "cpu") { said.push("The constants of CPUs are assumed."); }
    if (data.models[state.model].shape.experts > 1) { said.push("No mixture of experts was calibrated."); }
    notes(said);
    part("scroll").innerHTML = table(["in flight", "KV cache", "first token", "per token", "answer", "requests a minute"], rows);
  }

  /* ---- what changes what ---- */
  var show = { "break-even": breakEven, memory: estimator }[box.dataset.kind];
  function draw() { measure(); show(read()); sync(); }
  var waiting = 0;
  function soon() { if (!waiting) { waiting = requestAnimationFrame(function () { waiting = 0; draw(); }); } }
  function follow(name) {
    var state = read();
    if (name === "offer") {
      var unit = data.units[data.offers[state.offer].size];
      set("unit_usd", unit.usd); set("unit_tokens", unit.tokens);
      var own = state.offer.replace(/-custom$/, "");
      if (data.models[own]) { set("model", own); }
    }
    if (box.dataset.kind === "memory" && (name === "machine" || name === "model" || name === "dtype")) {
      form.elements.devices.max = Math.max(2, allDevices(data, state.machine));
      set("devices", usualDevices(data, state.model, state.machine, state.dtype));
    }
  }
  form.addEventListener("input", function (event) {
    var slider = event.target;
    if (slider.type === "range") { fromSlider(slider, document.getElementById(slider.dataset.for)); }
    follow(slider.name);
    soon();
  });
  form.addEventListener("change", function (event) {
    if (event.target.type === "number") { event.target.value = clamped(event.target); soon(); }
  });
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  addEventListener("resize", soon);
  part("reset").addEventListener("click", function () { form.reset(); draw(); });
  box.classList.add("x-ready");
  draw();
})();
