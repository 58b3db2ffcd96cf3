// What a file to import is, by its bytes and not by its name.

const [LINE_END, QUOTE, SPACE, BRACE] = [0x0a, 0x22, 0x20, 0x7b];
// Of byte order marks, which may be in front of everything.
const MARKS = [0xef, 0xbb, 0xbf, 0xfe, 0xff];

// As much of its beginning as is looked at more closely.
const HEAD = 64 * 1024;

// {zipped, isCsv, rows, isUtf8, head}: `head` are its first bytes. It is NDJSON where it begins with an
// object, and CSV otherwise. `rows` is null where this browser can not unpack it; then its name says
// what it is, and nothing else is known.
export async function look(file) {
  const zipped = await isGzip(file);
  const isCalledCsv = /\.csv(\.gz)?$/i.test(file.name);
  const unknown = { zipped, isCsv: isCalledCsv, rows: null, isUtf8: true, head: new Uint8Array() };
  if (zipped && !("DecompressionStream" in window)) return unknown;
  const bytes = zipped ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
  let isCsv = null;
  let rows = null;
  const text = utf8();
  const head = [];
  try {
    for await (const chunk of pieces(bytes)) {
      if (rows === null) {
        const first = chunk.find((byte) => byte > SPACE && !MARKS.includes(byte));
        if (first !== undefined) {
          isCsv = first !== BRACE;
          rows = counter(isCsv);
        }
      }
      rows?.take(chunk);
      text.take(chunk);
      if (head.length < HEAD) head.push(...chunk.subarray(0, HEAD - head.length));
    }
  } catch {
    // It is not whole, or not to be read any more: the service says so better.
    return unknown;
  }
  return { zipped, isCsv: isCsv ?? isCalledCsv, rows: rows?.end() ?? 0, isUtf8: text.end(), head: new Uint8Array(head) };
}

// RFC 1952, 2.3.1.
async function isGzip(file) {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return first === 0x1f && second === 0x8b;
}

// Not every browser lets a stream be iterated.
async function* pieces(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

// Says whether it is UTF-8 to its end.
function utf8() {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let isValid = true;
  const take = (bytes, how) => {
    if (!isValid) return;
    try {
      decoder.decode(bytes, how);
    } catch {
      isValid = false;
    }
  };
  return {
    take: (bytes) => take(bytes, { stream: true }),
    end() {
      take();
      return isValid;
    },
  };
}

// Counts lines that are not blank; in CSV those within quotes are none, and the first is the header.
function counter(isCsv) {
  let rows = isCsv ? -1 : 0;
  let isQuoted = false;
  let isFilled = false;
  const next = () => {
    if (isFilled) rows += 1;
    isFilled = false;
  };
  return {
    take(bytes) {
      for (const byte of bytes) {
        if (byte === LINE_END && !isQuoted) next();
        else if (byte > SPACE) {
          isFilled = true;
          if (isCsv && byte === QUOTE) isQuoted = !isQuoted;
        }
      }
    },
    end() {
      next();
      return Math.max(rows, 0);
    },
  };
}
