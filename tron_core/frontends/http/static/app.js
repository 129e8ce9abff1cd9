// The web page: the REST API and nothing else. Text from the hub is only ever set as textContent.
const API = "/api/v1";
const $ = (selector, root = document) => root.querySelector(selector);
const signIn = $("#sign-in"), ask = $("#ask"), list = $("#jobs ol");
const cards = new Map(); // job id -> its <li>
let capabilities = [], older = null;

// --- talking to the hub ---

const tokens = {
  get: () => JSON.parse(sessionStorage.getItem("tokens") ?? "null"),
  set: (value) => sessionStorage.setItem("tokens", JSON.stringify(value)),
  clear: () => sessionStorage.removeItem("tokens"),
};

async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  return Object.assign(new Error(problem.detail ?? `The hub answered ${response.status}`), { status: response.status });
}

async function getTokens(form) {
  const response = await fetch(`${API}/token`, { method: "POST", body: new URLSearchParams(form) });
  if (!response.ok) throw await problemOf(response);
  tokens.set(await response.json());
}

let refreshing = null; // one refresh for all calls that find their token expired: a refresh token is spent by its use
function refresh() {
  const refresh_token = tokens.get()?.refresh_token;
  refreshing ??= getTokens({ grant_type: "refresh_token", refresh_token }).finally(() => { refreshing = null; });
  return refreshing;
}

async function call(path, { body, headers = {}, ...options } = {}) {
  const json = body !== undefined && !(body instanceof Blob);
  const send = () => fetch(API + path, {
    ...options,
    body: json ? JSON.stringify(body) : body,
    headers: {
      ...(json ? { "Content-Type": "application/json" } : {}),
      ...headers,
      Authorization: `Bearer ${tokens.get()?.access_token}`,
    },
  });
  let response = await send();
  if (response.status === 401) {
    try { await refresh(); } catch (error) { signOut(); throw error; }
    response = await send();
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}
const callJson = async (path, options) => (await call(path, options)).json();

// --- the form, made from a capability's JSON Schema ---

function plain(schema, defs) { // without references and "or null"
  if (schema.$ref) return { ...plain(defs[schema.$ref.split("/").pop()], defs), ...schema };
  const inner = schema.anyOf?.find((option) => option.type !== "null") ?? schema.allOf?.[0];
  return inner ? { ...plain(inner, defs), ...schema } : schema;
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function inputFor(key, field, choices, required) {
  const kind = field["x-tron"]?.kind, name = `param.${key}`;
  if (kind === "input") {
    const accept = field["x-tron"].accept ?? "";
    return element("input", { type: "file", name, accept, required, multiple: field.type === "array" });
  }
  if (kind === "prompt") return element("textarea", { name, required, maxLength: field.maxLength ?? 8000 });
  if (field.type === "boolean") return element("input", { type: "checkbox", name, checked: field.default === true });
  if (field.enum) {
    const options = field.enum.map((value) => element("option", { value, textContent: value }));
    if (!required) options.unshift(element("option", { value: "", textContent: `(${field.default ?? "the default"})` }));
    return element("select", { name, required }, ...options);
  }
  if (field.type === "integer" || field.type === "number") {
    const step = field.multipleOf ?? (field.type === "integer" ? 1 : "any");
    return element("input", {
      type: "number", name, required, step, min: field.minimum ?? "", max: field.maximum ?? "",
      placeholder: field.default ?? "",
    });
  }
  const input = element("input", { name, required, placeholder: field.default ?? "" });
  if (choices?.length) {
    input.setAttribute("list", `choices-${name}`);
    const options = choices.map((value) => element("option", { value }));
    return element("span", {}, input, element("datalist", { id: `choices-${name}` }, ...options));
  }
  return input;
}

function showForm() {
  const capability = capabilities.find((each) => each.name === ask.capability.value);
  if (!capability) return;
  const { properties = {}, required = [], $defs = {} } = capability.schema;
  const main = [], more = [];
  for (const [name, raw] of Object.entries(properties)) {
    const field = plain(raw, $defs), needed = required.includes(name);
    if (field["x-tron"]?.derived) continue;
    const help = field.description ? [element("small", { textContent: field.description })] : [];
    const label = element("label", {}, `${name} `, inputFor(name, field, capability.choices[name], needed), ...help);
    (needed || field["x-tron"]?.kind !== "setting" ? main : more).push(label);
  }
  const settings = element("details", { hidden: !more.length },
    element("summary", { textContent: "Settings" }), element("div", {}, ...more));
  $("#fields").replaceChildren(...main, settings);
  $("#summary").textContent = capability.command.summary
    + (capability.available ? "" : " (No worker for this is connected now; the job will wait for one.)");
}

async function readForm(capability) {
  const params = {};
  for (const [name, raw] of Object.entries(capability.schema.properties ?? {})) {
    const field = plain(raw, capability.schema.$defs ?? {}), input = ask.elements[`param.${name}`];
    if (!input) continue; // the hub's own to fill in
    if (input.type === "file") {
      const ids = await Promise.all([...input.files].map(upload));
      if (ids.length) params[name] = field.type === "array" ? ids : ids[0];
    } else if (input.type === "checkbox") {
      if (input.checked !== (field.default === true)) params[name] = input.checked;
    } else if (input.value !== "") {
      params[name] = input.type === "number" ? Number(input.value) : input.value;
    }
  }
  return params;
}

async function upload(file) {
  const headers = { "Content-Type": file.type || "application/octet-stream", "X-Filename": encodeURIComponent(file.name) };
  return (await callJson("/uploads", { method: "POST", body: file, headers })).id;
}

// --- jobs ---

const over = (state) => !["queued", "running"].includes(state);

function describe(job) {
  if (job.error) return job.error.message;
  const parts = [];
  if (job.position) parts.push(`position ${job.position}`);
  if (job.eta_seconds && !over(job.state)) parts.push(`about ${Math.ceil(job.eta_seconds)} s left`);
  return [...parts, job.progress?.message, job.message].filter(Boolean).join(" · ");
}

function media(artifact) {
  const kind = artifact.media_type.split("/")[0];
  if (artifact.media_type.startsWith("image/svg")) return link(artifact);
  if (kind === "image") {
    const picture = element("img", { src: artifact.url, alt: artifact.name, loading: "lazy" });
    return element("a", { href: artifact.url, target: "_blank", rel: "noopener" }, picture);
  }
  if (kind === "audio" || kind === "video") return element(kind, { src: artifact.url, controls: true, preload: "metadata" });
  return link(artifact);
}
const link = (artifact) => element("a", { href: artifact.url, textContent: artifact.name, download: artifact.name });

function button(textContent, action) {
  const made = element("button", { type: "button", textContent });
  made.onclick = async () => {
    made.disabled = true;
    try { show(await callJson(...action)); } catch (error) { alert(error.message); } finally { made.disabled = false; }
  };
  return made;
}

function show(job, { atEnd = false } = {}) {
  let card = cards.get(job.id);
  if (!card) {
    card = $("#job").content.firstElementChild.cloneNode(true);
    cards.set(job.id, card);
    list[atEnd ? "append" : "prepend"](card);
  }
  const ended = over(job.state), path = `/jobs/${job.id}`;
  card.className = `job ${job.state}`;
  $(".what", card).textContent = job.capability;
  $(".state", card).textContent = job.state;
  $("time", card).textContent = new Date(job.created_at).toLocaleString();
  $(".prompt", card).textContent = job.params.prompt ?? job.params.text ?? "";
  $(".note", card).textContent = describe(job);
  showProgress(card, ended ? null : job.progress);
  if (ended || !card.watched) showText(card, job.reply?.text ?? "");
  $(".files", card).replaceChildren(...job.artifacts.filter((each) => each.role === "result").map(media));
  const buttons = (job.reply?.actions ?? []).map((action, number) =>
    button(`${action.emoji ?? ""} ${action.label}`.trim(), [`${path}/actions/${number}`, { method: "POST" }]));
  if (job.state === "failed") buttons.push(button("Try again", [`${path}/retry`, { method: "POST" }]));
  if (!ended) buttons.push(button("Cancel", [path, { method: "DELETE" }]));
  $(".buttons", card).replaceChildren(...buttons);
  if (!ended && !card.watched) watch(job.id, card);
}

function showProgress(card, progress) {
  const bar = $("progress", card);
  bar.hidden = !progress;
  if (progress) bar.value = progress.fraction;
}

function showText(card, text) {
  const shown = $(".text", card);
  shown.textContent = text;
  shown.hidden = !text;
}

async function watch(id, card) {
  card.watched = true;
  for (let pause = 1000; card.watched && tokens.get(); pause = Math.min(pause * 2, 30000)) {
    try {
      const response = await call(`/jobs/${id}/events`);
      for await (const [name, data] of events(response.body)) onEvent(id, card, name, data);
    } catch (error) {
      if ([401, 403, 404].includes(error.status)) return;
    }
    if (card.watched) await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function onEvent(id, card, name, data) {
  if (name === "result") { card.watched = false; show(data); }
  if (name === "state") {
    $(".state", card).textContent = data.state;
    $(".note", card).textContent = describe(data);
  }
  if (name === "progress") { showProgress(card, data); $(".note", card).textContent = data.message ?? ""; }
  if (name === "partial") showText(card, (data.seq === 0 ? "" : $(".text", card).textContent) + data.text);
}

async function* events(body) { // EventSource cannot send an Authorization header
  let buffer = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const blocks = (buffer + part.value).split("\n\n");
    buffer = blocks.pop();
    for (const block of blocks) {
      const name = block.match(/^event: (.*)$/m)?.[1], data = block.match(/^data: (.*)$/m)?.[1];
      if (name && data) yield [name, JSON.parse(data)];
    }
  }
}

// --- the page ---

function signOut() {
  tokens.clear();
  cards.clear();
  list.replaceChildren();
  start();
}

async function guarded(form, work) {
  const error = $(".error", form), submit = $("button:not([type])", form);
  error.textContent = "";
  submit.disabled = true;
  try { await work(); } catch (problem) { error.textContent = problem.message; } finally { submit.disabled = false; }
}

async function loadJobs(cursor) {
  const page = await callJson(`/jobs?limit=20${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
  for (const job of page.items) show(job, { atEnd: true });
  older = page.next;
  $("#more").hidden = !older;
}

async function start() {
  const signedIn = tokens.get() !== null;
  signIn.hidden = signedIn;
  for (const part of [ask, $("#jobs"), $("#sign-out")]) part.hidden = !signedIn;
  if (!signedIn) return;
  capabilities = (await callJson("/capabilities")).items;
  const option = ({ name, command }) => element("option", { value: name, textContent: name, title: command.summary });
  const group = (label, of) => element("optgroup", { label }, ...of.map(option));
  // What workers do is what people come for; the rest are the commands around it.
  const groups = { Workers: (each) => each.runs_on !== "hub", "The hub": (each) => each.runs_on === "hub" };
  ask.capability.replaceChildren(...Object.entries(groups)
    .map(([label, belongs]) => group(label, capabilities.filter(belongs)))
    .filter((made) => made.children.length));
  showForm();
  await loadJobs();
}

signIn.onsubmit = (event) => {
  event.preventDefault();
  guarded(signIn, async () => {
    const { name, secret } = Object.fromEntries(new FormData(signIn));
    await getTokens(/^[0-9a-f]{32}$/.test(name) // a client_id; no user has such a name by chance
      ? { grant_type: "client_credentials", client_id: name, client_secret: secret }
      : { grant_type: "password", username: name, password: secret });
    signIn.reset();
    await start();
  });
};
ask.onsubmit = (event) => {
  event.preventDefault();
  guarded(ask, async () => {
    const capability = capabilities.find((each) => each.name === ask.capability.value);
    const body = { capability: capability.name, params: await readForm(capability) };
    show(await callJson("/jobs", { method: "POST", body }));
  });
};
ask.capability.onchange = showForm;
$("#more").onclick = () => loadJobs(older);
$("#sign-out").onclick = signOut;
start().catch((error) => { $(".error", ask).textContent = error.message; });
