// What a file to import is, by its bytes and not by its name.

const [LINE_END, QUOTE, SPACE] = [0x0a, 0x22, 0x20];

// {zipped, rows}; `rows` is null where this browser can not unpack it.
export async function look(file, isCsv) {
  const zipped = await isGzip(file);
  if (zipped && !("DecompressionStream" in window)) return { zipped, rows: null };
  const bytes = zipped ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
  const rows = counter(isCsv);
  try {
    for await (const chunk of pieces(bytes)) rows.take(chunk);
  } catch {
    // It is not whole, or not to be read any more: the service says so better.
    return { zipped, rows: null };
  }
  return { zipped, rows: rows.end() };
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
