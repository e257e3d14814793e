package io.ambo.node.datapath;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HeldFramesTest {
    private final List<Long> released = new ArrayList<>();
    private final HeldFrames.Sink sink = (frame, length, port) -> released.add(frame);

    @Test
    void framesOfATagComeOutInOrderOfArrival() {
        HeldFrames held = new HeldFrames(8);
        held.hold(1, 60, 0, 77, 10);
        held.hold(2, 60, 0, 88, 10);
        held.hold(3, 60, 0, 77, 10);
        assertThat(held.releaseTagged(77, sink)).isEqualTo(2);
        assertThat(released).containsExactly(1L, 3L);
        assertThat(held.size()).isEqualTo(1);
    }

    @Test
    void aFullQueueSaysSoAndTakesMoreOnceAFrameHasLeft() {
        HeldFrames held = new HeldFrames(2);
        assertThat(held.hold(1, 60, 0, 1, 10)).isTrue();
        assertThat(held.hold(2, 60, 0, 2, 10)).isTrue();
        assertThat(held.hold(3, 60, 0, 3, 10)).isFalse();
        held.releaseTagged(1, sink);
        assertThat(held.hold(3, 60, 0, 3, 10)).isTrue();
    }

    @Test
    void framesWhoseDeadlineHasPassedComeOutAndOthersStay() {
        HeldFrames held = new HeldFrames(8);
        held.hold(1, 60, 0, 1, 10);
        held.hold(2, 60, 0, 2, 20);
        assertThat(held.nextDeadlineInNs(4)).isEqualTo(6);
        assertThat(held.releaseDue(15, 64, sink)).isEqualTo(1);
        assertThat(released).containsExactly(1L);
        assertThat(held.nextDeadlineInNs(15)).isEqualTo(5);
    }

    @Test
    void aFrameThatTheSinkHoldsAgainStaysUntilTheNextRelease() {
        HeldFrames held = new HeldFrames(8);
        held.hold(1, 60, 0, 1, 10);
        held.hold(2, 60, 0, 1, 10);
        held.releaseAll((frame, length, port) -> held.hold(frame, length, port, 1, 20));
        assertThat(held.size()).isEqualTo(2);
    }

    @Test
    void ticketsAreReleasedUpToTheAcknowledgedOne() {
        HeldFrames held = new HeldFrames(8);
        for (int ticket = 1; ticket <= 4; ticket++) held.hold(ticket, 60, 0, ticket, 10);
        held.releaseUpTo(3, sink);
        assertThat(released).containsExactly(1L, 2L, 3L);
    }

    @Test
    void whatWasReleasedByItsTagMakesRoomAtOnce() {
        HeldFrames held = new HeldFrames(8);
        for (int frame = 1; frame <= 8; frame++) held.hold(frame, 60, 0, 1, 10);
        held.releaseTagged(1, sink);
        assertThat(held.hold(9, 60, 0, 2, 10)).isTrue();
    }

    @Test
    void behavesAsAListInAnyOrderOfCalls() {
        long seed = Long.getLong("ambo.seed", System.nanoTime());
        System.out.println("HeldFramesTest seed " + seed);
        Random random = new Random(seed);
        HeldFrames held = new HeldFrames(16);
        Deque<long[]> model = new ArrayDeque<>();
        for (int step = 0; step < 20_000; step++) {
            released.clear();
            List<Long> expected = new ArrayList<>();
            long tag = random.nextInt(6);
            switch (random.nextInt(4)) {
                case 0, 1 -> {
                    boolean taken = held.hold((long) step, 60, 0, tag, (long) step);
                    if (taken) model.add(new long[]{ step, tag });
                    else
                        assertThat(model).hasSizeGreaterThanOrEqualTo(1);
                }
                case 2 -> {
                    held.releaseTagged(tag, sink);
                    model.removeIf(entry -> entry[1] == tag && expected.add(entry[0]));
                }
                default -> {
                    long due = (long) step - random.nextInt(30);
                    held.releaseDue(due, 64, sink);
                    model.removeIf(entry -> entry[0] <= due && expected.add(entry[0]));
                }
            }
            assertThat(released).isEqualTo(expected);
            assertThat(held.size()).isEqualTo(model.size());
        }
    }
}
