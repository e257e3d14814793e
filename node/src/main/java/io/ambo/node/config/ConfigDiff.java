package io.ambo.node.config;

import java.util.List;

/** What differs between two configurations, key by key. */
public record ConfigDiff(List<Change> changes) {

    /**
     * One key whose value differs.
     *
     * @param key          dotted
     * @param from         the old value as text
     * @param to           the new value as text
     * @param needsRestart a reload cannot apply it
     */
    public record Change(String key, String from, String to, boolean needsRestart) {
        @Override
        public String toString() { return key + ": " + from + " -> " + to; }
    }

    public ConfigDiff {
        changes = List.copyOf(changes);
    }

    public boolean isEmpty() { return changes.isEmpty(); }

    /** The changes that a reload must refuse. Empty: the whole difference can be applied while packets run. */
    public List<Change> needingRestart() {
        return changes.stream().filter(Change::needsRestart).toList();
    }
}
