package io.ambo.node.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class UmemTest {
    @Test
    void everyFrameIsGivenOnceThenNone() {
        try (Umem umem = Umem.create(100)) {
            Set<Long> frames = new HashSet<>();
            for (int i = 0; i < 100; i++) {
                long address = umem.allocate();
                assertThat(Umem.headroom(address)).isEqualTo(Umem.HEADROOM);
                assertThat(Umem.room(address)).isEqualTo(Umem.MAX_FRAME_LENGTH);
                frames.add(address / Umem.FRAME_SIZE);
            }
            assertThat(frames).hasSize(100).allMatch(frame -> frame < 100);
            assertThat(umem.allocate()).isEqualTo(Umem.NO_FRAME);
            assertThat(umem.freeCount()).isZero();
        }
    }

    @Test
    void aFrameIsKnownByAnyOfItsBytesAndUsedNextAfterItWasFreed() {
        try (Umem umem = Umem.create(4)) {
            long address = umem.allocate();
            umem.free(address + 1000);
            assertThat(umem.allocate()).isEqualTo(address);
        }
    }

    @Test
    void aFrameThatIsFreedTwiceIsNoticed() {
        try (Umem umem = Umem.create(4)) {
            long address = umem.allocate();
            umem.free(address);
            assertThatThrownBy(() -> umem.free(address)).isInstanceOf(AssertionError.class).hasMessageContaining("frame 0");
        }
    }
}
