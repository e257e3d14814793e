package io.ambo.hatests.oracle;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import java.util.ArrayList;
import java.util.List;

/** What happened to one session up to one of its packets, and what each node knew of it then: written down while a replay is played again. */
final class History {
    private static final int MOST_LINES = 60;

    private final Flow conversation;
    private final int lastStep;
    private final List<String> lines = new ArrayList<>();

    /** @param lastStep index of the step at which it ends */
    History(Flow conversation, int lastStep) {
        this.conversation = conversation;
        this.lastStep = lastStep;
    }

    /** The last lines, oldest first. */
    List<String> lines() {
        int from = Math.max(0, lines.size() - MOST_LINES);
        List<String> last = new ArrayList<>(lines.subList(from, lines.size()));
        if (from > 0) last.addFirst("(" + from + " lines before)");
        return last;
    }

    private boolean concerns(Step step) { return step.index() <= lastStep && conversation.equals(step.conversation()); }

    void onCame(Step step, ReplayNode node, Replay replay) {
        if (!concerns(step)) return;
        if (step.index() == lastStep) know(replay);
        add(replay, node.id() + " takes " + step);
    }

    void onHeld(Step step, ReplayNode node, Replay replay) { if (concerns(step)) add(replay, node.id() + " holds packet " + step.name()); }

    void onHandedOver(Step step, ReplayNode node, Replay replay) {
        if (concerns(step)) add(replay, node.id() + " hands packet " + step.name() + " to its peer");
    }

    void onSettled(Step step, ReplayNode node, Outcome outcome, Replay replay) {
        if (!concerns(step)) return;
        add(replay, node.id() + ": packet " + step.name() + " " + outcome);
        if (step.index() == lastStep) know(replay);
    }

    private void know(Replay replay) {
        for (ReplayNode node : replay.nodes()) {
            SessionKey key = new SessionKey();
            SessionRecord session = new SessionRecord();
            boolean found = node.table().find(conversation.key(), key, session) != SessionTable.Found.NOT;
            add(replay, node.id() + " knows " + (found ? SessionLine.of(key, session) : "no such session"));
        }
        for (String delta : replay.underWayAbout(conversation)) add(replay, "under way " + delta);
    }

    private void add(Replay replay, String line) { lines.add(replay.clock().text() + "  " + line); }
}
