package io.ambo.node.config;

import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;

/** YAML text as a tree of nodes that know their lines. The one place that knows the parser's ways. */
final class Yaml {
    /** The composer recurses; a configuration is four deep. */
    private static final int DEPTH_MAX = 32;
    private static final int SHOWN_CHARACTERS = 60;

    private Yaml() {}

    /** The root node, or null when there is none; what keeps the text from being YAML is reported. */
    static @Nullable Node compose(String text, Reading reading) {
        LoadSettings settings = LoadSettings.builder().setLabel("config").setAllowDuplicateKeys(true).setMaxAliasesForCollections(1000)
                .build();
        try {
            int tooDeepAt = lineBelow(DEPTH_MAX, text, settings);
            if (tooDeepAt > 0) {
                reading.problem(tooDeepAt, "", "", "is nested more than " + DEPTH_MAX + " deep", "");
                return null;
            }
            Optional<Node> root = new Compose(settings).composeString(text);
            if (root.isEmpty() || isEmpty(root.get())) {
                reading.problem(1, "", "", "is empty", "start from the example that comes with Ambo, ambo.yml");
                return null;
            }
            return root.get();
        } catch (MarkedYamlEngineException e) {
            int line = e.getProblemMark().or(e::getContextMark).map(mark -> mark.getLine() + 1).orElse(1);
            reading.problem(line, "", "", "is not YAML: " + oneLine(e.getProblem()), remedy(String.valueOf(e.getProblem())));
            return null;
        } catch (YamlEngineException e) {
            reading.problem(1, "", "", "is not YAML: " + oneLine(e.getMessage()), "");
            return null;
        } catch (IllegalArgumentException e) {
            // The composer's own check of a tag, with no mark: found by fuzzing, with !%0d (which is decoded to a carriage return).
            reading.problem(lineOfOddTag(text, settings), "", "", "is not YAML: " + oneLine(e.getMessage()),
                    "a value that begins with ! needs quotes");
            return null;
        }
    }

    static int line(Node node) { return node.getStartMark().map(Mark::getLine).orElse(-1) + 1; }

    /** Nothing was written: {@code key:} alone, or null. */
    static boolean isEmpty(Node node) {
        return node instanceof ScalarNode scalar && scalar.isPlain() && !isTagged(node)
                && (scalar.getValue().isEmpty() || scalar.getValue().equals("null") || scalar.getValue().equals("~"));
    }

    /** True for a node with a tag of the writer's own, as {@code !10.0.0.0/8} is when it is not quoted. */
    static boolean isTagged(Node node) {
        return !node.getTag().getValue().startsWith("tag:yaml.org,2002:");
    }

    /** The value as it was written, shortened to a part of a line. */
    static String show(Node node) {
        String text = show(node, 2).replaceAll("[\\p{Cntrl}\\p{Cf}\\u2028\\u2029]+", " ").strip();
        return text.length() <= SHOWN_CHARACTERS ? text : text.substring(0, SHOWN_CHARACTERS - 3) + "...";
    }

    private static String show(Node node, int depth) {
        String tag = isTagged(node) ? node.getTag().getValue() + " " : "";
        if (node instanceof ScalarNode scalar) {
            return tag + (scalar.getValue().isEmpty() && !scalar.isPlain() ? "\"\"" : scalar.getValue());
        }
        if (node instanceof SequenceNode list) {
            return tag + (depth == 0
                    ? "[...]"
                    : list.getValue().stream().limit(20).map(item -> show(item, depth - 1)).collect(Collectors.joining(", ", "[", "]")));
        }
        if (node instanceof MappingNode map) {
            return tag + (depth == 0
                    ? "{...}"
                    : map.getValue().stream().limit(20).map(entry -> show(entry.getKeyNode(), 0))
                            .collect(Collectors.joining(", ", "{", "}")));
        }
        return tag + "...";
    }

    /** The first line on which something is nested deeper than that, or 0. */
    private static int lineBelow(int depth, String text, LoadSettings settings) {
        int open = 0;
        Iterator<Event> events = new Parse(settings).parseString(text).iterator();
        while (events.hasNext()) {
            Event event = events.next();
            switch (event.getEventId()) {
                case SequenceStart, MappingStart -> open++;
                case SequenceEnd, MappingEnd -> open--;
                default -> {
                }
            }
            if (open > depth) return event.getStartMark().map(Mark::getLine).orElse(0) + 1;
        }
        return 0;
    }

    private static int lineOfOddTag(String text, LoadSettings settings) {
        for (Event event : new Parse(settings).parseString(text)) {
            Optional<String> tag = switch (event) {
                case ScalarEvent scalar -> scalar.getTag();
                case CollectionStartEvent collection -> collection.getTag();
                default -> Optional.empty();
            };
            if (tag.isPresent() && !tag.get().equals(tag.get().trim())) return event.getStartMark().map(Mark::getLine).orElse(0) + 1;
        }
        return 1;
    }

    private static String oneLine(@Nullable String text) {
        if (text == null) return "it cannot be parsed";
        return List.of(text.split("\\R|\\. \\(", 2)).getFirst();
    }

    private static String remedy(String problem) {
        if (problem.contains("TAB")) return "indent with spaces";
        if (problem.contains("mapping values are not allowed")) return "a key stands too far in, or a value with a colon needs quotes";
        if (problem.contains("expected <block end>") || problem.contains("expected ',' or")) {
            return "look at the indentation and the brackets of this line and the one before";
        }
        return "";
    }
}
