package io.ambo.node.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;

/**
 * What the file says for one key, which may be nothing. Reading a value of the wrong kind reports the problem and gives the default, so that the rest of the
 * file is read too; a configuration with problems is never used.
 */
final class Value {
    private final Reading reading;
    private final String key;
    private final @Nullable Node node;

    /**
     * A key of a section.
     *
     * @param node null when the file does not have it
     */
    Value(Reading reading, String key, @Nullable Node node, int sectionLine) {
        this.reading = reading;
        this.key = key;
        this.node = node == null || Yaml.isEmpty(node) ? null : node;
        reading.place(key, node == null ? sectionLine : Yaml.line(node), this.node == null ? "" : Yaml.show(this.node));
    }

    String key() { return key; }

    boolean isPresent() { return node != null; }

    void problem(String rule, String remedy) { reading.problem(key, rule, remedy); }

    /** The text of a scalar, or the default. */
    String text(String otherwise) {
        if (node == null) return otherwise;
        if (Yaml.isTagged(node)) {
            problem("a value that starts with ! needs quotes", "write \"" + node.getTag().getValue() + "\"");
            return otherwise;
        }
        if (node instanceof ScalarNode scalar) return scalar.getValue();
        problem("is " + kind() + " where one value is needed", "");
        return otherwise;
    }

    /** The text of a scalar that must be there; empty when it is not. */
    String requiredText(String remedy) {
        if (node == null) problem("is missing", remedy);
        return text("");
    }

    boolean flag(boolean otherwise) {
        if (node == null) return otherwise;
        String text = text("");
        if (text.equals("true")) return true;
        if (text.equals("false")) return false;
        if (!reading.isWrong(key)) {
            boolean yes = Set.of("yes", "on", "1").contains(text.toLowerCase(Locale.ROOT));
            boolean no = Set.of("no", "off", "0").contains(text.toLowerCase(Locale.ROOT));
            problem("is neither true nor false", yes ? "write true" : no ? "write false" : "");
        }
        return otherwise;
    }

    int count(int otherwise, int least, int most) {
        if (node == null) return otherwise;
        String text = text("");
        if (reading.isWrong(key)) return otherwise;
        try {
            return (int) inRange(Units.parseCount(text), least, most, Integer.toString(least), Integer.toString(most), otherwise);
        } catch (Units.FormatException e) {
            problem(String.valueOf(e.getMessage()), e.remedy());
            return otherwise;
        }
    }

    /** Nanoseconds; the bounds and the default are durations as text. */
    long durationNs(String otherwise, String least, String most) {
        long defaultNs = durationOf(otherwise);
        if (node == null) return defaultNs;
        String text = text("");
        if (reading.isWrong(key)) return defaultNs;
        try {
            return inRange(Units.parseDuration(text), durationOf(least), durationOf(most), least, most, defaultNs);
        } catch (Units.FormatException e) {
            problem(String.valueOf(e.getMessage()), e.remedy());
            return defaultNs;
        }
    }

    int durationMs(String otherwise, String least, String most) { return (int) (durationNs(otherwise, least, most) / 1_000_000); }

    /** Bytes; the bounds and the default are sizes as text. */
    int size(String otherwise, String least, String most) {
        long defaultBytes = sizeOf(otherwise);
        if (node == null) return (int) defaultBytes;
        String text = text("");
        if (reading.isWrong(key)) return (int) defaultBytes;
        try {
            return (int) inRange(Units.parseSize(text), sizeOf(least), sizeOf(most), least, most, defaultBytes);
        } catch (Units.FormatException e) {
            problem(String.valueOf(e.getMessage()), e.remedy());
            return (int) defaultBytes;
        }
    }

    /** One of the words of an enum. */
    <E extends Enum<E>> E oneOf(Class<E> words, E otherwise) {
        if (node == null) return otherwise;
        String text = text("");
        if (reading.isWrong(key)) return otherwise;
        Set<String> known = new TreeSet<>();
        for (E constant : words.getEnumConstants()) {
            if (Units.word(constant).equals(text)) return constant;
            known.add(Units.word(constant));
        }
        problem("is none of " + String.join(", ", known), didYouMean(text, known));
        return otherwise;
    }

    /** The entries of a list; a single value counts as a list of one. */
    List<Value> items() {
        if (node == null) return List.of();
        if (!(node instanceof SequenceNode list)) return List.of(this);
        List<Value> items = new ArrayList<>();
        for (Node item : list.getValue()) {
            // A list of one is reported as it stands in the file: ports = [80000]
            Value value = list.getValue().size() == 1
                    ? new Value(reading, key, item)
                    : new Value(reading, key + "[" + items.size() + "]", item, Yaml.line(node));
            if (value.isPresent()) items.add(value);
            else
                value.problem("is empty", "remove the entry");
        }
        return items;
    }

    /** The entries of a list of sections, such as rules. */
    List<Section> sections(String example) {
        List<Section> sections = new ArrayList<>();
        if (node == null) return sections;
        if (!(node instanceof SequenceNode list)) {
            problem("is " + kind() + " where a list is needed", "write lines such as \"- " + example + "\"");
            return sections;
        }
        for (Node item : list.getValue()) {
            String itemKey = key + "[" + sections.size() + "]";
            sections.add(new Value(reading, itemKey, item, Yaml.line(item)).section());
        }
        return sections;
    }

    /** The keys below this one; none when it is not there. */
    Section section() {
        if (node instanceof MappingNode map) return new Section(reading, key, map, reading.line(key));
        if (node != null) problem("is " + kind() + " where keys are needed", "");
        return new Section(reading, key, null, reading.line(key));
    }

    /** The only entry of a list: it keeps the place of the list. */
    private Value(Reading reading, String key, Node item) {
        this.reading = reading;
        this.key = key;
        node = Yaml.isEmpty(item) ? null : item;
    }

    private String kind() {
        return node instanceof SequenceNode ? "a list" : node instanceof MappingNode ? "a group of keys" : "one value";
    }

    private long inRange(long value, long least, long most, String leastText, String mostText, long otherwise) {
        if (value >= least && value <= most) return value;
        problem("is not within " + leastText + " to " + mostText, "");
        return otherwise;
    }

    static String didYouMean(String word, Set<String> known) {
        return Nearest.to(word, known).map(nearest -> "did you mean " + nearest + "?").orElse("");
    }

    private static long durationOf(String text) {
        try {
            return Units.parseDuration(text);
        } catch (Units.FormatException e) {
            throw new IllegalStateException(text, e);
        }
    }

    private static long sizeOf(String text) {
        try {
            return Units.parseSize(text);
        } catch (Units.FormatException e) {
            throw new IllegalStateException(text, e);
        }
    }
}
