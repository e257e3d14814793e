package io.ambo.node.config;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;

/** A group of keys. Asking for a key makes it a known one; {@link #close()} reports those that nobody asked for. */
final class Section {
    private final Reading reading;
    private final String path;
    private final int line;
    private final Map<String, NodeTuple> entries = new LinkedHashMap<>();
    private final Set<String> known = new TreeSet<>();

    /**
     * A section of the file.
     *
     * @param path of the group, empty for the root
     * @param map  null when the file does not have it
     */
    Section(Reading reading, String path, @Nullable MappingNode map, int line) {
        this.reading = reading;
        this.path = path;
        this.line = line;
        if (map == null) return;
        for (NodeTuple entry : map.getValue()) {
            String name = entry.getKeyNode() instanceof ScalarNode scalar ? scalar.getValue() : Yaml.show(entry.getKeyNode());
            NodeTuple first = entries.putIfAbsent(name, entry);
            if (first != null) {
                reading.problem(Yaml.line(entry.getKeyNode()), below(name), Yaml.show(entry.getValueNode()),
                        "stands here for the second time (first on line " + Yaml.line(first.getKeyNode()) + ")", "remove one of them");
            }
        }
    }

    String path() { return path; }

    boolean has(String name) { return entries.containsKey(name); }

    Value value(String name) {
        known.add(name);
        reading.asked(below(name));
        NodeTuple entry = entries.get(name);
        Value value = new Value(reading, below(name), entry == null ? null : entry.getValueNode(), line);
        if (entry != null) {
            // A block value begins on the line after its key; the operator looks for the key.
            reading.place(below(name), Yaml.line(entry.getKeyNode()), value.isPresent() ? Yaml.show(entry.getValueNode()) : "");
        }
        return value;
    }

    Section section(String name) { return value(name).section(); }

    /** A key of another version: known by name, refused. */
    void refuse(String name, String rule, String remedy) {
        known.add(name);
        NodeTuple entry = entries.get(name);
        if (entry != null) reading.problem(Yaml.line(entry.getKeyNode()), below(name), "", rule, remedy);
    }

    /** Reports the keys that nobody has asked for. */
    void close() {
        for (Map.Entry<String, NodeTuple> entry : entries.entrySet()) {
            String name = entry.getKey();
            if (known.contains(name)) continue;
            Node key = entry.getValue().getKeyNode();
            reading.problem(Yaml.line(key), below(Yaml.show(key)), "", "unknown key", remedyForUnknown(name));
        }
    }

    private String remedyForUnknown(String name) {
        String meant = Value.didYouMean(name, known);
        if (!meant.isEmpty()) return meant;
        return ConfigKey.withLastName(name).map(key -> "did you mean " + key + "?").orElse("known here: " + String.join(", ", known));
    }

    private String below(String name) { return path.isEmpty() ? name : path + "." + name; }
}
