package io.ambo.node.config;

import java.util.Locale;

/** Numbers with their units, as the config writes them: {@code 10ms}, {@code 2h}, {@code 64MiB}. */
final class Units {
    private static final long MS = 1_000_000;
    private static final String[] TIME_NAMES = { "d", "h", "m", "s", "ms", "us" };
    private static final long[] TIME_NS = { 86_400_000 * MS, 3_600_000 * MS, 60_000 * MS, 1000 * MS, MS, 1000 };
    private static final String[] SIZE_NAMES = { "GiB", "MiB", "KiB", "B" };
    private static final long[] SIZE_BYTES = { 1L << 30, 1L << 20, 1L << 10, 1 };

    /** The text is no such quantity; the message says why, the remedy what to write. */
    static final class FormatException extends Exception {
        private static final long serialVersionUID = 1;
        private final String remedy;

        FormatException(String message, String remedy) {
            super(message);
            this.remedy = remedy;
        }

        String remedy() { return remedy; }
    }

    private Units() {}

    /** Nanoseconds of a duration. */
    static long parseDuration(String text) throws FormatException {
        return parse(text, TIME_NAMES, TIME_NS, "a duration", "write a number and one of us, ms, s, m, h, d: 10ms");
    }

    /** Bytes of a size. */
    static long parseSize(String text) throws FormatException {
        return parse(text, SIZE_NAMES, SIZE_BYTES, "a size", "write a number and one of KiB, MiB, GiB: 64MiB");
    }

    /** A whole number, groups of digits may be separated by underscores. */
    static long parseCount(String text) throws FormatException {
        String digits = text.matches("\\d{1,3}(_\\d{3})+") ? text.replace("_", "") : text;
        if (!isDigits(digits)) throw new FormatException("is no whole number", "write digits only");
        return number(digits);
    }

    /** The shortest exact form. */
    static String durationText(long ns) { return ns == 0 ? "0s" : text(ns, TIME_NAMES, TIME_NS); }

    static String durationMsText(long ms) { return durationText(ms * MS); }

    /** The shortest exact form. */
    static String sizeText(long bytes) { return bytes == 0 ? "0B" : text(bytes, SIZE_NAMES, SIZE_BYTES); }

    private static String text(long value, String[] names, long[] factors) {
        for (int i = 0; i < names.length; i++) if (value % factors[i] == 0) return value / factors[i] + names[i];
        return Long.toString(value);
    }

    private static long parse(String text, String[] names, long[] factors, String what, String remedy) throws FormatException {
        int end = 0;
        while (end < text.length() && isDigit(text.charAt(end))) end++;
        if (end == 0) throw new FormatException("is not " + what, remedy);
        String unit = text.substring(end).strip();
        if (unit.isEmpty()) throw new FormatException("has no unit", remedy);
        for (int i = 0; i < names.length; i++) {
            if (!names[i].equals(unit)) continue;
            try {
                return Math.multiplyExact(number(text.substring(0, end)), factors[i]);
            } catch (ArithmeticException e) {
                throw new FormatException("is too large", "");
            }
        }
        throw new FormatException("has an unknown unit", remedy);
    }

    private static long number(String digits) throws FormatException {
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException e) {
            throw new FormatException("is too large", "");
        }
    }

    private static boolean isDigits(String text) { return !text.isEmpty() && text.chars().allMatch(c -> isDigit((char) c)); }

    private static boolean isDigit(char c) { return c >= '0' && c <= '9'; }

    /** The word that an enum constant is in the config: lower case. */
    static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
