package eventjson

// MaxLine is the most bytes of one line. It has room for every event of the
// format; a longer line is not held in memory.
const MaxLine = 34 << 20
