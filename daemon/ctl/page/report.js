/* The plots of the report: everything is drawn of the JSON in #data. */
"use strict";

(() => {
const report = JSON.parse(document.getElementById("data").textContent);
const MODES = ["ipxe", "tftp-uki", "http", "local"];

const shown = report.groups.filter(group => group.points);
const nameOf = group => group.name || "(unknown)";
const names = shown.map(nameOf);

/* A mode keeps its colour whichever others there are. */
function colourOf(i)
{
	const mode = report.by === "mode" ? MODES.indexOf(names[i]) : -1;

	if (report.by === "mode")
		return `var(--g${mode >= 0 ? mode : 7})`;
	return `var(--g${i % 12})`;
}

const boots = shown.flatMap((group, i) => group.points.map(point => {
	const boot = {group: i};

	report.point.forEach((key, column) => { boot[key] = point[column]; });
	boot.date = new Date(boot.started * 1000);
	return boot;
}));

/* As the rest of the page has them, not as this country does. */
const stamp = d3.timeFormat("%Y-%m-%d %H:%M:%S");
const seconds = us => us / 1e6;
const say = s => `${s.toFixed(s < 10 ? 2 : 1)} s`;
const isFailure = boot =>
	["abandoned", "looped", "failed"].includes(boot.outcome);

function title(boot, us)
{
	return [
		`${boot.machine || boot.mac}, boot ${boot.id}`,
		stamp(boot.date),
		`${names[boot.group]}: ${boot.outcome}` +
			(isFailure(boot) ? ` at ${boot.step}` : ""),
		us === null ? "" : say(seconds(us)),
	].filter(line => line).join("\n");
}

/* The same each time: neither the data nor a random number moves a point. */
const jitter = boot => (boot.id * 0.6180339887498949) % 1;

function text(tag, words, into)
{
	const node = document.createElement(tag);

	node.textContent = words;
	into.append(node);
	return node;
}

function figure(id, heading, words, ...nodes)
{
	const node = document.getElementById(id);
	const caption = document.createElement("figcaption");

	text("h2", heading, caption);
	text("p", words, caption);
	node.replaceChildren(caption, ...nodes);
}

/* Which boots are drawn, if not all. */
function sampled()
{
	const parts = d3.groups(shown.filter(group => group.every > 1),
		group => group.every).map(([every, some]) =>
			`one boot in ${every}` + (some.length < shown.length
				? ` of ${some.map(nameOf).join(", ")}` : ""));

	return (parts.length ? ` Drawn: ${parts.join("; ")}.` : "") +
		(shown.length < report.groups.length
			? ` Only the ${shown.length} groups with the most ` +
			  `boots are drawn, of ${report.groups.length}.` : "");
}

const style = {
	background: "none",
	color: "var(--text)",
	fontFamily: "inherit",
	fontSize: "12.5px",
};

/* Room for the groups' names at the left: a third of what there is. */
const LETTER = 7.2;
const most = width => Math.min(33, Math.floor(width / 3 / LETTER));
const room = width => 24 + LETTER *
	d3.max(names, name => Math.min(name.length, most(width)));
const short = (name, letters) => name.length > letters
	? name.slice(0, letters - 1) + "\u2026" : name;

/* A lane for each of these groups, from the top down. */
const groupAxis = (groups, width) => Plot.axisY(d3.range(groups.length), {
	tickFormat: lane => short(names[groups[lane]], most(width)),
	tickSize: 0,
	tickPadding: 12,
	label: null,
	fontSize: 13,
});

/*
 * How a measure is distributed. The box is of all boots, the points are those
 * that came along.
 */
function distribution(id, heading, words, measure, column, width)
{
	const summaries = shown.map(group => group[measure]);
	const some = d3.range(shown.length).filter(i => summaries[i].n);
	const points = boots.filter(boot =>
		boot.outcome === "complete" && boot[column] !== null);
	const at = (i, key) => summaries[i][key];
	const lane = i => some.indexOf(i);
	/* The quarters of less than five are no quarters. */
	const enough = some.filter(i => summaries[i].n >= 5);

	if (!some.length)
		return;
	figure(id, heading, words + sampled(), Plot.plot({
		width,
		height: 52 + 82 * some.length,
		marginLeft: room(width),
		marginRight: 30,
		marginTop: 6,
		marginBottom: 40,
		style,
		ariaLabel: heading,
		x: {label: "seconds", labelAnchor: "center", labelArrow: "none",
			zero: true, nice: true},
		y: {domain: [some.length - 0.45, -0.6]},
		marks: [
			Plot.gridX({stroke: "var(--line)", strokeOpacity: 1}),
			groupAxis(some, width),
			Plot.ruleY(enough, {
				className: "whisker",
				x1: i => at(i, "p5"),
				x2: i => at(i, "p95"),
				y: i => lane(i) - 0.17,
				stroke: colourOf,
				strokeWidth: 1.5,
			}),
			Plot.rect(enough, {
				className: "box",
				x1: i => at(i, "p25"),
				x2: i => at(i, "p75"),
				y1: i => lane(i) - 0.29,
				y2: i => lane(i) - 0.05,
				fill: colourOf,
				fillOpacity: 0.35,
				stroke: colourOf,
				insetLeft: -1,
				insetRight: -1,
				rx: 2,
			}),
			Plot.link(some, {
				className: "median",
				x1: i => at(i, "median"),
				x2: i => at(i, "median"),
				y1: i => lane(i) - 0.29,
				y2: i => lane(i) - 0.05,
				stroke: "var(--text)",
				strokeWidth: 2.5,
			}),
			Plot.text(some, {
				x: i => at(i, "median"),
				y: i => lane(i) - 0.29,
				text: i => say(at(i, "median")),
				dy: -9,
				fontWeight: 600,
				fill: "var(--text)",
				stroke: "var(--back)",
				strokeWidth: 4,
			}),
			Plot.dot(points, {
				className: "boot",
				x: boot => seconds(boot[column]),
				y: boot => lane(boot.group) + 0.06 +
					0.3 * jitter(boot),
				r: points.length > 400 ? 2 : 3,
				fill: boot => colourOf(boot.group),
				fillOpacity: points.length > 400 ? 0.45 : 0.75,
				title: boot => title(boot, boot[column]),
				tip: true,
			}),
		],
	}));
}

/*
 * The phases, each from one moment to the next that was reached, so that
 * nothing between the first packet and the last is left out.
 */
const PHASES = ["DHCP", "firmware's own", "loader", "iPXE starts",
	"iPXE's network", "script", "image", "system starts"];
const PHASE_OF = {
	offer: 0, request: 0, ack: 0, loader: 1, loader_done: 2, ipxe: 3,
	ipxe_offer: 4, script: 4, first_byte: 5, last_byte: 6, up: 7,
};

function phasesOf(boot)
{
	const sums = PHASES.map(() => 0);
	let at = 0, scripted = false;

	for (const [moment, usual] of Object.entries(PHASE_OF)) {
		const us = boot[`${moment}_us`];
		let phase = usual;

		if (us === null)
			continue;
		/* An image that no script named was fetched by firmware. */
		if (moment === "first_byte" && !scripted)
			phase = 1;
		scripted ||= moment === "script";
		sums[phase] += Math.max(0, us - at);
		at = Math.max(at, us);
	}
	if (boot.up_us === null)
		sums[7] = null;
	return sums;
}

function phaseBars()
{
	return shown.flatMap((_, i) => {
		const sums = boots.filter(boot => boot.group === i &&
			boot.outcome === "complete").map(phasesOf);
		let from = 0;

		return PHASES.map((phase, p) => {
			const all = sums.map(s => s[p]).filter(v => v !== null);
			const s = all.length ? seconds(d3.median(all)) : 0;
			const bar = {group: i, phase, s, from, to: from + s,
				n: all.length, of: sums.length};

			from = bar.to;
			return bar;
		}).filter(bar => bar.s > 0);
	});
}

function key(entries)
{
	const node = document.createElement("div");

	node.className = "key";
	for (const {label, fill, path} of entries) {
		const item = text("span", "", node);
		const svg = d3.create("svg:svg").attr("width", 13)
			.attr("height", 13).attr("viewBox", "-6.5 -6.5 13 13");

		svg.append("path").attr("d", path)
			.attr(path === CROSS ? "stroke" : "fill", fill)
			.attr("stroke-width", 2);
		item.append(svg.node(), label);
	}
	return node;
}
const SQUARE = "M-6,-6h12v12h-12z", CROSS = "M-4,-4L4,4M4,-4L-4,4";
const DISC = "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0";

function phases(width)
{
	const bars = phaseBars();
	const some = [...new Set(bars.map(bar => bar.group))];
	const lane = bar => some.indexOf(bar.group);
	const total = d3.max(bars, bar => bar.to);
	const used = PHASES.filter(phase =>
		bars.some(bar => bar.phase === phase));
	const colour = phase => `var(--p${PHASES.indexOf(phase)})`;
	const wide = bar => bar.s / total * (width - room(width)) > 44;

	if (!bars.length)
		return;
	figure("phases", "Where the time goes",
		"The median of each phase of the complete boots. Medians need " +
		"not add up to the median of the whole." + sampled(),
		key(used.map(phase => ({label: phase, fill: colour(phase),
			path: SQUARE}))),
		Plot.plot({
			width,
			height: 46 + 50 * some.length,
			marginLeft: room(width),
			marginRight: 30,
			marginTop: 6,
			marginBottom: 40,
			style,
			ariaLabel: "Where the time goes",
			x: {label: "seconds", labelAnchor: "center",
				labelArrow: "none", domain: [0, total],
				nice: true},
			y: {domain: [some.length - 0.5, -0.5]},
			marks: [
				Plot.gridX({stroke: "var(--line)",
					strokeOpacity: 1}),
				groupAxis(some, width),
				Plot.rect(bars, {
					className: "phase",
					x1: "from",
					x2: "to",
					y1: bar => lane(bar) - 0.32,
					y2: bar => lane(bar) + 0.32,
					fill: bar => colour(bar.phase),
					stroke: "var(--back)",
					strokeWidth: 1,
					title: bar => `${names[bar.group]}\n` +
						`${bar.phase}: ${say(bar.s)}` +
						`\nof ${bar.n} boots`,
					tip: true,
				}),
				Plot.text(bars.filter(wide), {
					x: bar => (bar.from + bar.to) / 2,
					y: lane,
					text: bar => say(bar.s),
					fill: "var(--on)",
					pointerEvents: "none",
				}),
			],
		}));
}

/* "14:45", or "7 Nov"; below it, where that changes, the day or the year. */
function when(date, i, ticks)
{
	const is = unit => ticks.some(tick => unit.floor(tick) < tick);
	const [fine, coarse] = !is(d3.timeDay) ? ["%-d %b", "%Y"]
		: [is(d3.timeMinute) ? "%H:%M:%S" : "%H:%M", "%-d %b"];
	const below = d3.timeFormat(coarse);

	return d3.timeFormat(fine)(date) +
		(i && below(ticks[i - 1]) === below(date)
			? "" : `\n${below(date)}`);
}

/* Each boot when it was: how long it took, or when nothing more was heard. */
function runs(width)
{
	const whole = boots.filter(boot =>
		boot.outcome === "complete" && boot.last_byte_us !== null);
	const bad = boots.filter(isFailure);
	const entries = names.map((name, i) =>
		({label: short(name, 33), fill: colourOf(i), path: DISC}))
		.filter((_, i) => whole.some(boot => boot.group === i));
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

	if (!whole.length && !bad.length)
		return;
	if (bad.length)
		entries.push({label: "failed (when it was last heard of)",
			fill: "var(--bad)", path: CROSS});
	figure("runs", "Boot by boot",
		"Each point is one boot: when it began, and how long it took " +
		"to the image's last byte." + sampled(),
		key(entries),
		Plot.plot({
			width,
			height: 362,
			marginLeft: 52,
			marginRight: 30,
			marginTop: 28,
			marginBottom: 56,
			style,
			ariaLabel: "Boot by boot",
			x: {type: "time", label: `time (${zone})`,
				labelAnchor: "center", labelArrow: "none",
				tickFormat: when, insetLeft: 10,
				insetRight: 10},
			y: {label: "seconds", zero: true, nice: true, ticks: 6,
				labelArrow: "none"},
			marks: [
				Plot.gridY({stroke: "var(--line)",
					strokeOpacity: 1}),
				Plot.dot(whole, {
					className: "boot",
					x: "date",
					y: boot => seconds(boot.last_byte_us),
					r: whole.length > 400 ? 2.2 : 4,
					fill: boot => colourOf(boot.group),
					fillOpacity: whole.length > 400
						? 0.5 : 0.85,
					title: boot =>
						title(boot, boot.last_byte_us),
					tip: true,
				}),
				Plot.dot(bad, {
					className: "failure",
					x: "date",
					y: boot => seconds(boot.last_us),
					symbol: "times",
					r: bad.length > 100 ? 3 : 5,
					stroke: "var(--bad)",
					strokeWidth: bad.length > 100 ? 1.2 : 2,
					title: boot =>
						title(boot, boot.last_us),
					tip: true,
				}),
			],
		}));
}

let drawn = 0;

function draw()
{
	const width = Math.min(1000,
		document.querySelector("main").clientWidth - 45);

	if (!shown.length || Math.abs(width - drawn) < 8)
		return;
	drawn = width;
	distribution("whole", "Time to the image's last byte",
		"Each point is a complete boot, and the upright line the median " +
		"of all. From five boots on, the box holds the middle half " +
		"of them, and the whiskers go from the 5th to the 95th " +
		"percentile. Boots that failed have no such time.",
		"last-byte", "last_byte_us", width);
	distribution("up", "Time until the system is up",
		"The same, to the guest's own word, of the boots whose guest " +
		"said it.", "up", "up_us", width);
	phases(width);
	runs(width);
	document.body.dataset.drawn = "yes";
}

draw();
addEventListener("resize", draw);
})();
