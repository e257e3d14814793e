package io.ambo.node.config;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * One pass over one file: the problems found so far, and where each key stands, so that later checks can point at it. Lives on the stack of
 * {@link ConfigLoader#load}.
 */
final class Reading {
    /** More than this many are of no help to anybody. */
    static final int PROBLEMS_MAX = 200;

    private record Place(int line, String value) {}

    private final String file;
    private final List<Problem> problems = new ArrayList<>();
    private final Set<String> wrongKeys = new HashSet<>();
    private final Map<String, Place> places = new HashMap<>();
    private final Set<String> asked = new TreeSet<>();

    Reading(String file) { this.file = file; }

    /** A key that was found, or whose absence is noticed on that line. */
    void place(String key, int line, String value) {
        places.put(key, new Place(line, value));
    }

    /** A key that is known to the reader, whether the file has it or not. List indexes are left out: {@code interfaces[].name}. */
    void asked(String key) {
        asked.add(key.replaceAll("\\[\\d+\\]", "[]"));
    }

    Set<String> asked() { return asked; }

    /** Reports a problem of a key that has a place. */
    void problem(String key, String rule, String remedy) {
        Place place = places.getOrDefault(key, new Place(0, ""));
        problem(place.line, key, place.value, rule, remedy);
    }

    void problem(int line, String key, String value, String rule, String remedy) {
        wrongKeys.add(key);
        if (problems.size() < PROBLEMS_MAX) problems.add(new Problem(file, line, key, value, rule, remedy));
    }

    /** True when the key, or something in it, has been reported: checks that build on its value stay silent then. */
    boolean isWrong(String key) {
        return wrongKeys.stream()
                .anyMatch(wrong -> wrong.startsWith(key) && (wrong.length() == key.length() || isSeparator(wrong.charAt(key.length()))));
    }

    /** True when the file has a value for the key. */
    boolean isGiven(String key) {
        return !places.getOrDefault(key, new Place(0, "")).value.isEmpty();
    }

    /** The line a key stands on; 0 when it has no place. */
    int line(String key) { return places.getOrDefault(key, new Place(0, "")).line; }

    boolean isClean() { return problems.isEmpty(); }

    /** In the order of the file. */
    List<Problem> problems() {
        return problems.stream().sorted(Comparator.comparingInt(Problem::line)).toList();
    }

    private static boolean isSeparator(char c) { return c == '.' || c == '['; }
}
