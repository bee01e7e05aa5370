// Reads the UTC clock that the test pattern burns into its frames (packager/ffmpeg/command.py).
// Glass-to-glass latency is the time of display minus that clock.
//
// The position and the font of the text are known. The reader draws each digit with that font and
// takes the digit whose drawing correlates best with the frame. It first looks for the constant text
// after the clock.

const WIDTH = 1280; // of the frame that positions refer to; its height is 720
const TOP = 540; // of the text
const SPARE = 10; // pixels above and below that are read too
const DARK = 90; // brightness of the background that shows through the box, of 255
const STAMP = "0000-00-00 00:00:00.000";
const TAIL = "UTC    frame";
const BEFORE = `${STAMP} `;
const CLOCK = 11; // characters before the time of day
const DIGITS = 8; // of the frame's number, at the most
const SURE = 0.6; // least correlation of a match
const AHEAD = 0.03; // by which the best digit leads the second

export const DAY_MS = 86_400_000;

/** The shortest difference of two times of the day in ms, across midnight too. */
export function apart(a, b) {
  return ((((a - b + DAY_MS / 2) % DAY_MS) + DAY_MS) % DAY_MS) - DAY_MS / 2;
}

/** A reader; `font` is the address of the pattern's font, `height` that of the picture at its source. */
export async function openClock(font, height) {
  const face = new FontFace("pattern", `url(${font})`);
  document.fonts.add(await face.load());
  return new Clock((Math.round(height / 16) * 720) / height);
}

class Clock {
  #found = null; // where the text begins

  constructor(size) {
    this.rows = Math.ceil(size) + 2 * SPARE;
    this.strip = new OffscreenCanvas(WIDTH, this.rows).getContext("2d", { willReadFrequently: true });
    this.pen = new OffscreenCanvas(WIDTH, this.rows).getContext("2d", { willReadFrequently: true });
    this.pen.font = `${size}px pattern`;
    this.pen.fillStyle = "#fff";
    this.pen.textBaseline = "alphabetic";
    // The clock begins at the top of the highest letter there is, the f.
    this.ascent = this.pen.measureText(STAMP + TAIL).actualBoundingBoxAscent;
    this.digits = [..."0123456789"].map((digit) => this.#template(digit));
    this.tail = this.#template(TAIL);
    this.places = [...STAMP]
      .map((_, at) => at)
      .filter((at) => at >= CLOCK && STAMP[at] === "0")
      .map((at) => this.#width(STAMP.slice(0, at)));
  }

  /** The time of day in the picture, in ms, or null where none can be read. */
  read(video) {
    const picture = this.#look(video);
    if (!this.#found || this.#match(picture, this.tail, this.#tailAt(this.#found.x), this.#found.y) < SURE) {
      this.#found = this.#find(picture);
    }
    if (!this.#found) return null;
    const { x, y } = this.#found;
    const read = this.places.map((place) => this.#digit(picture, x + place, y));
    if (read.includes(null)) return null;
    const [h1, h0, m1, m0, s1, s0, f2, f1, f0] = read;
    const [hours, minutes, seconds] = [h1 * 10 + h0, m1 * 10 + m0, s1 * 10 + s0];
    if (hours > 23 || minutes > 59 || seconds > 59) return null;
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + f2 * 100 + f1 * 10 + f0;
  }

  #width(text) {
    return this.pen.measureText(text).width;
  }

  #tailAt(x) {
    return Math.round(x + this.#width(BEFORE));
  }

  /** The brightness of the strip that the text is in, less what shines through its box. */
  #look(video) {
    const scale = video.videoHeight / 720;
    const [top, rows] = [(TOP - SPARE) * scale, this.rows * scale];
    this.strip.drawImage(video, 0, top, video.videoWidth, rows, 0, 0, WIDTH, this.rows);
    return this.#grey(this.strip, WIDTH);
  }

  #grey(context, width) {
    const { data } = context.getImageData(0, 0, width, this.rows);
    const grey = new Float32Array(width * this.rows);
    for (let i = 0; i < grey.length; i += 1) {
      const light = data[4 * i] * 0.3 + data[4 * i + 1] * 0.59 + data[4 * i + 2] * 0.11;
      grey[i] = Math.max(0, light - DARK);
    }
    return { grey, width };
  }

  /** What `text` looks like, with mean and length taken out: rows from its top to its baseline. */
  #template(text) {
    const width = Math.round(this.#width(text));
    const height = Math.round(this.ascent);
    this.pen.clearRect(0, 0, WIDTH, this.rows);
    this.pen.fillText(text, 0, this.ascent);
    const { grey, width: stride } = this.#grey(this.pen, WIDTH);
    const values = new Float32Array(width * height);
    let sum = 0;
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const value = grey[row * stride + column];
        values[row * width + column] = value;
        sum += value;
      }
    }
    let squares = 0;
    for (let i = 0; i < values.length; i += 1) {
      values[i] -= sum / values.length;
      squares += values[i] ** 2;
    }
    for (let i = 0; i < values.length; i += 1) values[i] /= Math.sqrt(squares);
    return { values, width, height };
  }

  /** The correlation of the picture, from x and y on, with a template. */
  #match({ grey, width: stride }, { values, width, height }, x, y) {
    if (x < 0 || y < 0 || x + width > stride || y + height > this.rows) return 0;
    let [sum, squares, product] = [0, 0, 0];
    for (let row = 0; row < height; row += 1) {
      let at = (y + row) * stride + x;
      for (let i = row * width; i < (row + 1) * width; i += 1, at += 1) {
        const value = grey[at];
        sum += value;
        squares += value * value;
        product += value * values[i];
      }
    }
    const spread = squares - (sum * sum) / values.length;
    return spread > 0 ? product / Math.sqrt(spread) : 0;
  }

  /** Where the text is: its width, and so its beginning, depends on how long the frame's number is. */
  #find(picture) {
    let best = { match: SURE };
    for (let count = 1; count <= DIGITS; count += 1) {
      const text = this.#width(`${BEFORE}${TAIL} ${"0".repeat(count)}`);
      for (let x = (WIDTH - text) / 2 - 4; x <= (WIDTH - text) / 2 + 4; x += 1) {
        for (let y = 0; y <= 2 * SPARE; y += 1) {
          const match = this.#match(picture, this.tail, this.#tailAt(x), y);
          if (match > best.match) best = { match, x, y };
        }
      }
    }
    return best.match > SURE ? best : null;
  }

  #digit(picture, place, y) {
    const x = Math.round(place);
    const matches = this.digits.map((digit, value) => {
      let match = 0;
      for (let dx = -2; dx <= 2; dx += 1) {
        for (let dy = -1; dy <= 1; dy += 1) {
          match = Math.max(match, this.#match(picture, digit, x + dx, y + dy));
        }
      }
      return { match, value };
    });
    matches.sort((a, b) => b.match - a.match);
    const [first, second] = matches;
    return first.match > SURE && first.match - second.match > AHEAD ? first.value : null;
  }
}
