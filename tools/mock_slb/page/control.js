/* The control API, the same that tests use: what it refuses is said where it was asked for. */

const TIMEOUT_MS = 10_000;
const SAID_MS = 8000;

let forgetting;

/** One request; gives the answer's JSON. Throws an Error whose message is for a person. */
export async function ask(method, name, fields) {
  const request = { method, signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (fields !== undefined) {
    request.headers = { "Content-Type": "application/json" };
    request.body = JSON.stringify(fields);
  }
  const response = await fetch(`/_mock/${name}`, request).catch(() => {
    throw new Error("The mocked cloud does not answer.");
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** Change something, say what was done, and have the page look at once. Throws as `ask`. */
export async function change(done, method, name, fields) {
  await ask(method, name, fields);
  say(done);
  document.dispatchEvent(new Event("account-changed"));
}

/** Let a form be sent by `send`; what goes wrong is said in the form. */
export function onSubmit(form, send) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, send);
  });
}

/** Let a button of a form do something; what goes wrong is said in the form. */
export function onClick(button, send) {
  button.addEventListener("click", () => attempt(button.form, send));
}

async function attempt(form, send) {
  const place = form?.querySelector(".error");
  if (place) place.textContent = "";
  try {
    await send();
  } catch (error) {
    if (place) place.textContent = error.message;
    else say(error.message);
  }
}

/** The field's whole number; undefined where it is empty. */
export function numberIn(field) {
  return field.value === "" ? undefined : field.valueAsNumber;
}

function say(text) {
  const place = document.getElementById("said");
  clearTimeout(forgetting);
  place.textContent = text;
  forgetting = setTimeout(() => (place.textContent = ""), SAID_MS);
}
