// Turns the samples of all rounds into the table.
//
// A row has `samples`, one object a round: {notso, llama} in the row's unit and, where notso bench
// gives it, `percent` of the machine's limit. A ratio above 1 always means that notso is better.

// The middle value, or the mean of the two in the middle; undefined of none.
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[half];
  return sorted.length === 0 ? undefined : (sorted[half - 1] + sorted[half]) / 2;
}

function ratio({unit, samples}) {
  const better = ({notso, llama}) => unit === "tokens/s" ? notso / llama : llama / notso;
  return median(samples.map(better));
}

function shown(unit, value) {
  if (unit === "GB") return `${(value / 1e9).toFixed(2)} GB`;
  if (unit === "s") return value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`;
  return value.toFixed(1);
}

// {name, title, unit, notso, llama, ratio, percent_of_limit, rounds}: the medians of a row.
export function summary(row) {
  const percents = row.samples.map(({percent}) => percent).filter((value) => value !== undefined);
  return {
    name: row.name, title: row.title, unit: row.unit,
    notso: median(row.samples.map(({notso}) => notso)),
    llama: median(row.samples.map(({llama}) => llama)),
    ratio: ratio(row), percent_of_limit: median(percents), limit: row.limit,
    rounds: row.samples.length,
  };
}

// The table in Markdown; rows without samples are left out.
export function markdown(rows) {
  const lines = ["| | llama.cpp | notso | ratio | notso, of the machine's limit |",
    "|---|---:|---:|---:|---:|"];
  for (const row of rows.filter(({samples}) => samples.length > 0)) {
    const {title, unit, notso, llama, ratio: better, percent_of_limit: percent} = summary(row);
    const of = percent === undefined ? "" : `${percent.toFixed(0)}% of ${row.limit}`;
    lines.push(`| ${title} | ${shown(unit, llama)} | ${shown(unit, notso)} | `
      + `${better.toFixed(2)}x | ${of} |`);
  }
  return lines.join("\n");
}

// What the numbers rest on, for below the table.
export function notes({machine, versions, threads, rounds, warmCache, columns}) {
  const times = rounds === 1 ? "one round" : `${rounds} rounds`;
  const lines = [`${threads} threads; f16 keys and values; medians of ${times}, the two `
    + "engines in turns, each job in a process of its own; ratios are medians of the rounds' "
    + "ratios, above 1 where notso is better. ", `Against ${versions}${columns}.`];
  if (machine !== undefined) {
    const reads = machine.read_bytes_per_second.map((rate) => (rate / 1e9).toFixed(1)).join(", ");
    lines.push(` ${machine.device}; this machine reads ${reads} GB/s on 1.. threads and does `
      + `${(machine.int8_macs_per_second / 1e9).toFixed(0)} int8 GMAC/s.`);
  }
  lines.push(" Start: notso from exec to the first token of a 1-token prompt, llama.cpp without "
    + `the start of Node.js; ${warmCache}. Memory: the most that was resident, llama.cpp without `
    + "what Node.js held before.");
  return lines.join("");
}
