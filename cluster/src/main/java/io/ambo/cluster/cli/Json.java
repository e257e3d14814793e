package io.ambo.cluster.cli;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** JSON text of maps, lists, texts, numbers and booleans. Small, so that the command starts fast. */
final class Json {
    private Json() {}

    /** An object in the order of its keys: key, value, key, value. */
    static Map<String, @Nullable Object> object(@Nullable Object... keysAndValues) {
        Map<String, @Nullable Object> object = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) object.put(String.valueOf(keysAndValues[i]), keysAndValues[i + 1]);
        return object;
    }

    /** Over several lines, two spaces for each level. */
    static String pretty(@Nullable Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out, 0);
        return out.toString();
    }

    /** On one line. */
    static String compact(@Nullable Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out, -1);
        return out.toString();
    }

    private static void write(@Nullable Object value, StringBuilder out, int level) {
        switch (value) {
            case null -> out.append("null");
            case Map<?, ?> map -> writeMap(map, out, level);
            case List<?> list -> writeList(list, out, level);
            case Number number -> out.append(number);
            case Boolean flag -> out.append(flag);
            default -> quote(value.toString(), out);
        }
    }

    private static void writeMap(Map<?, ?> map, StringBuilder out, int level) {
        out.append('{');
        Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry<?, ?> entry = entries.next();
            newLine(out, level, 1);
            quote(String.valueOf(entry.getKey()), out);
            out.append(": ");
            write(entry.getValue(), out, deeper(level));
            if (entries.hasNext()) out.append(level < 0 ? ", " : ",");
        }
        if (!map.isEmpty()) newLine(out, level, 0);
        out.append('}');
    }

    private static void writeList(List<?> list, StringBuilder out, int level) {
        boolean flat = list.stream().noneMatch(item -> item instanceof Map || item instanceof List);
        int inner = flat ? -1 : level;
        out.append('[');
        for (int i = 0; i < list.size(); i++) {
            newLine(out, inner, 1);
            write(list.get(i), out, deeper(inner));
            if (i < list.size() - 1) out.append(inner < 0 ? ", " : ",");
        }
        if (!list.isEmpty()) newLine(out, inner, 0);
        out.append(']');
    }

    private static int deeper(int level) { return level < 0 ? level : level + 1; }

    private static void newLine(StringBuilder out, int level, int more) {
        if (level >= 0) out.append('\n').append("  ".repeat(level + more));
    }

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                default -> {
                    if (c < ' ' || c == 0x7F || Character.isSurrogate(c) && !isPaired(text, i))
                        out.append(String.format("\\u%04x", (int) c));
                    else
                        out.append(c);
                }
            }
        }
        out.append('"');
    }

    private static boolean isPaired(String text, int at) {
        return Character.isHighSurrogate(text.charAt(at))
                ? at + 1 < text.length() && Character.isLowSurrogate(text.charAt(at + 1))
                : at > 0 && Character.isHighSurrogate(text.charAt(at - 1));
    }
}
