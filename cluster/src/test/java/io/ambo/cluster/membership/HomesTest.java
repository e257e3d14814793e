package io.ambo.cluster.membership;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.Samples;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** With whom sessions live in redirect mode, and what changes when a member drains. */
@SuppressWarnings("NullAway") // there are others
class HomesTest {
    private static final NodeId A = NodeId.of("a"), B = NodeId.of("b"), C = NodeId.of("c");
    private static final View ALL = new View(1, A, List.of(A, B, C));

    private static SessionRecord ofOwner(NodeId owner) { return Samples.session(owner.value(), 1, 0); }

    @Test
    void theOwnerIsTheRecordedOneAndThenTheBackup() {
        for (int number = 0; number < 100; number++) {
            SessionKey key = Samples.key(number);
            assertThat(Homes.owner(ALL, key, ofOwner(C))).isEqualTo(C.value());
            NodeId backup = Homes.backup(ALL, key.hash(), C.value());
            assertThat(Homes.owner(new View(2, A, List.of(A, B)), key, ofOwner(C))).isEqualTo(backup.value());
        }
    }

    @Test
    void whoHasGivenOutThePortsOfASessionKeepsItInMind() {
        Homes homes = new Homes();
        SessionRecord plain = Samples.session(C.value(), 1, 0).owner(A.value());
        SessionRecord translated = Samples.session(C.value(), 1, 0).owner(A.value()).translate(0, 0xFFFF_CB00_710AL, 2_000, 0,
                0xFFFF_C000_0201L, 443);
        int more = 0;
        for (int number = 0; number < 100; number++) {
            SessionKey key = Samples.key(number);
            NodeId backup = Homes.backup(ALL, key.hash(), A.value());
            assertThat(homes.has(ALL, C.value(), key, plain)).isEqualTo(backup.equals(C));
            assertThat(homes.has(ALL, C.value(), key, translated)).isTrue();
            if (!backup.equals(C)) more++;
        }
        assertThat(more).as("sessions whose creator is neither owner nor backup").isPositive();
    }

    @Test
    void theSessionsOfWhoDrainsAreItsBackups() {
        View draining = ALL.draining(Set.of(C.value()));
        Set<NodeId> heirs = new HashSet<>();
        for (int number = 0; number < 100; number++) {
            SessionKey key = Samples.key(number);
            NodeId backup = Homes.backup(ALL, key.hash(), C.value());
            heirs.add(backup);
            assertThat(Homes.owner(draining, key, ofOwner(C))).isEqualTo(backup.value());
            assertThat(Homes.director(draining, key.hash())).isNotEqualTo(C);
            assertThat(Homes.backup(draining, key.hash(), backup.value())).as("one that does not drain").isNotEqualTo(C);
        }
        assertThat(heirs).containsExactlyInAnyOrder(A, B);
    }

    @Test
    void whoDrainsIsStillTheBackupWhenNobodyElseIsThere() {
        View pair = new View(1, A, List.of(A, B)).draining(Set.of(B.value()));
        SessionKey key = Samples.key(1);
        assertThat(Homes.backup(pair, key.hash(), A.value())).isEqualTo(B);
        assertThat(pair.mayOwn(B.value())).isFalse();
    }

    @Test
    void whenAllDrainNothingMoves() {
        View pair = new View(1, A, List.of(A, B)).draining(Set.of(A.value(), B.value()));
        for (int number = 0; number < 100; number++)
            for (NodeId owner : List.of(A, B)) assertThat(Homes.owner(pair, Samples.key(number), ofOwner(owner))).isEqualTo(owner.value());
    }

    @Test
    void eachIsAskedOnceAndWhoDrainsLast() {
        View view = new View(1, A, List.of(A, B, C)).draining(Set.of(A.value()));
        for (int number = 0; number < 100; number++) {
            long hash = Samples.key(number).hash();
            NodeId first = Homes.director(view, hash);
            NodeId second = Homes.nextDirector(new View(1, first, view.members(), view.draining()), hash, 0);
            NodeId third = Homes.nextDirector(new View(1, second, view.members(), view.draining()), hash, 0);
            assertThat(Set.of(first, second)).containsExactlyInAnyOrder(B, C);
            assertThat(third).isEqualTo(A);
            assertThat(Homes.nextDirector(new View(1, third, view.members(), view.draining()), hash, 0)).isNull();
        }
    }
}
