/**
 * The characters that RFC 9110 allows, as pieces of regular expressions. Whatever goes to a cluster or comes from one is
 * held against these: a line break or a NUL in a value could make one message two.
 */
export const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
/** Tab, visible ASCII and the upper half of latin1. */
export const fieldText = '[\\t\\x20-\\x7e\\x80-\\xff]*';
