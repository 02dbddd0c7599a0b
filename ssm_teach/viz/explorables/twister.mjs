// The uniform numbers of NumPy's RandomState(key).random_sample(), the same to the last bit: the Mersenne Twister MT19937
// seeded by an array of 32-bit numbers (M. Matsumoto and T. Nishimura 1998). A picture drawn here is the one Python draws.

const SIZE = 624;
const SHIFT = 397;

const seeded = (start) => {
  const words = new Uint32Array(SIZE);
  words[0] = start;
  for (let k = 1; k < SIZE; k += 1) words[k] = Math.imul(1812433253, words[k - 1] ^ (words[k - 1] >>> 30)) + k;
  return words;
};

const seededBy = (key) => {
  const words = seeded(19650218);
  let i = 1;
  const mixed = (factor) => words[i] ^ Math.imul(words[i - 1] ^ (words[i - 1] >>> 30), factor);
  const next = () => {
    i += 1;
    if (i < SIZE) return;
    words[0] = words[SIZE - 1];
    i = 1;
  };
  for (let k = 0; k < Math.max(SIZE, key.length); k += 1) {
    const j = k % key.length;
    words[i] = mixed(1664525) + key[j] + j;
    next();
  }
  for (let k = 0; k < SIZE - 1; k += 1) {
    words[i] = mixed(1566083941) - i;
    next();
  }
  words[0] = 0x80000000;
  return words;
};

const refill = (words) => {
  for (let k = 0; k < SIZE; k += 1) {
    const joined = (words[k] & 0x80000000) | (words[(k + 1) % SIZE] & 0x7fffffff);
    words[k] = words[(k + SHIFT) % SIZE] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
  }
};

const tempered = (word) => {
  let y = word ^ (word >>> 11);
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return (y ^ (y >>> 18)) >>> 0;
};

// A function that returns the next number in [0, 1) each time it is called, of 53 bits.
export const uniformOf = (key) => {
  const words = seededBy(key);
  let at = SIZE;
  const word = () => {
    if (at === SIZE) {
      refill(words);
      at = 0;
    }
    at += 1;
    return tempered(words[at - 1]);
  };
  return () => ((word() >>> 5) * 67108864 + (word() >>> 6)) / 9007199254740992;
};
