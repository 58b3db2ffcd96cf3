// What a file to import is, by its bytes and not by its name.

const [LINE_END, QUOTE, SPACE] = [0x0a, 0x22, 0x20];

// As much of its beginning as is looked at more closely.
const HEAD = 64 * 1024;

// {zipped, rows, isUtf8, head}: `head` are its first bytes. `rows` is null where this browser can not
// unpack it; nothing else is known of it then.
export async function look(file, isCsv) {
  const zipped = await isGzip(file);
  const unknown = { zipped, rows: null, isUtf8: true, head: new Uint8Array() };
  if (zipped && !("DecompressionStream" in window)) return unknown;
  const bytes = zipped ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
  const rows = counter(isCsv);
  const text = utf8();
  const head = [];
  try {
    for await (const chunk of pieces(bytes)) {
      rows.take(chunk);
      text.take(chunk);
      if (head.length < HEAD) head.push(...chunk.subarray(0, HEAD - head.length));
    }
  } catch {
    // It is not whole, or not to be read any more: the service says so better.
    return unknown;
  }
  return { zipped, rows: rows.end(), isUtf8: text.end(), head: new Uint8Array(head) };
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
