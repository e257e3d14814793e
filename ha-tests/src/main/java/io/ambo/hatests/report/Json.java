package io.ambo.hatests.report;

import java.util.Iterator;
import java.util.Map;

/** Writes maps, lists, strings, numbers, booleans and null as JSON (RFC 8259), indented. */
public final class Json {
    private final StringBuilder out = new StringBuilder();

    private Json() {}

    public static String write(Object value) {
        Json json = new Json();
        json.append(value, 0);
        return json.out.append('\n').toString();
    }

    private void append(@org.jspecify.annotations.Nullable Object value, int depth) {
        switch (value) {
            case null -> out.append("null");
            case Map<?, ?> map -> appendMap(map, depth);
            case Iterable<?> list -> appendList(list, depth);
            case Boolean truth -> out.append(truth.booleanValue());
            case Double number -> out.append(Double.isFinite(number) ? number.toString() : "null");
            case Number number -> out.append(number);
            default -> appendString(value.toString());
        }
    }

    private void appendMap(Map<?, ?> map, int depth) {
        Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
        out.append('{');
        while (entries.hasNext()) {
            Map.Entry<?, ?> entry = entries.next();
            newLine(depth + 1);
            appendString(String.valueOf(entry.getKey()));
            out.append(": ");
            append(entry.getValue(), depth + 1);
            if (entries.hasNext()) out.append(',');
        }
        if (!map.isEmpty()) newLine(depth);
        out.append('}');
    }

    private void appendList(Iterable<?> list, int depth) {
        Iterator<?> items = list.iterator();
        boolean any = items.hasNext();
        out.append('[');
        while (items.hasNext()) {
            newLine(depth + 1);
            append(items.next(), depth + 1);
            if (items.hasNext()) out.append(',');
        }
        if (any) newLine(depth);
        out.append(']');
    }

    private void newLine(int depth) { out.append('\n').repeat("  ", depth); }

    private void appendString(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\t' -> out.append("\\t");
                case '\r' -> out.append("\\r");
                default -> {
                    if (c < 0x20) {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
