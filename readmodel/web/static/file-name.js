// What a file is called, as it is told to the command API with it.

// Characters of a file's name.
const LONGEST = 255;
// They only move what stands beside them; the service drops them, too.
const MOVING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// What the service does not take in a name, or no text has, is written otherwise.
const UNWANTED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Mn}\p{Me}\u115f\u1160\u2800\u3164\uffa0]/gu;

// The value of Content-Disposition (RFC 6266 and 8187); null where nothing of a name is to be seen.
export function disposition(name) {
  const whole = name.split(/[/\\]/).at(-1).replace(MOVING, "").replace(UNWANTED, "_").trim();
  const told = Array.from(whole).slice(-LONGEST).join("").trim();
  if (["", ".", ".."].includes(told.replace(UNSEEN, ""))) return null;
  const escaped = encodeURIComponent(told).replace(/['()*]/g, (each) => `%${each.charCodeAt(0).toString(16)}`);
  return `attachment; filename*=UTF-8''${escaped}`;
}
