package io.ambo.hatests.oracle;

import io.ambo.node.packet.DropReason;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What became of one step in one replay. */
final class Outcome {
    /** A frame that went out, in the terms of the capture. */
    @SuppressWarnings("ArrayRecordComponent") // compared by hand
    record Sent(int port, byte[] frame) {
        boolean sameAs(Sent other) { return port == other.port && Arrays.equals(frame, other.frame); }
    }

    private final List<Sent> sent = new ArrayList<>();
    private DropReason dropped = DropReason.NONE;
    private @Nullable Flow translated;
    private boolean settled;
    private boolean opened;

    void addSent(Sent frame) {
        sent.add(frame);
        settled = true;
    }

    void drop(DropReason reason) {
        dropped = reason;
        settled = true;
    }

    void translated(@Nullable Flow ends) { translated = ends; }

    void open() { opened = true; }

    boolean isSettled() { return settled; }

    /** Opened a session, as far as the replay looked. */
    boolean hasOpened() { return opened; }

    boolean passed() { return settled && dropped == DropReason.NONE; }

    DropReason dropped() { return dropped; }

    /** The ends it left with, when they are not those of the capture. */
    @Nullable
    Flow translation() { return translated; }

    /** What differs from the other, in words; empty: nothing. The port that a source was given is not compared here. */
    String differenceFrom(Outcome other) {
        if (passed() != other.passed()) return "the verdict";
        if (!sameTranslation(other)) return "the translation";
        if (sent.size() != other.sent.size()) return "how many frames went out";
        for (int i = 0; i < sent.size(); i++) {
            if (sent.get(i).port() != other.sent.get(i).port()) return "the interface it left by";
            if (!sent.get(i).sameAs(other.sent.get(i)))
                return "the bytes of what went out, from byte "
                        + Arrays.mismatch(sent.get(i).frame(), other.sent.get(i).frame()) + " on";
        }
        return "";
    }

    private boolean sameTranslation(Outcome other) {
        if (translated == null || other.translated == null) return translated == null && other.translated == null;
        return translated.source().equals(other.translated.source()) && translated.destination().equals(other.translated.destination())
                && (isEcho() || translated.destinationPort() == other.translated.destinationPort());
    }

    /** Its identifier is both ports. */
    private boolean isEcho() {
        return translated != null && translated.protocol() != 6 && translated.protocol() != 17;
    }

    @Override
    public String toString() {
        if (!settled) return "still inside when the replay ended";
        if (dropped != DropReason.NONE)
            return "dropped: " + dropped.label() + " (" + dropped.help() + ")" + (sent.isEmpty() ? "" : ", its sender was told");
        return (translated == null ? "passed" : "passed as " + translated) + (sent.size() == 1 ? "" : " in " + sent.size() + " frames");
    }
}
