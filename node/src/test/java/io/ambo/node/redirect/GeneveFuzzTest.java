package io.ambo.node.redirect;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Any datagram is refused or has the form that the parser promises; nothing is read beyond its end. */
class GeneveFuzzTest {
    private static final byte[] SOUND = HexFormat.of().parseHex("07400800" + "00123400" + "ff01c106" + "a001b002" + "01000000"
            + "0102030405060708" + "0000000000000000" + "4500001c000040004011000a0a000001c0000203" + "9c40003500080000");

    @FuzzTest
    void anyDatagramIsRefusedOrSound(FuzzedDataProvider data) { judge(data.consumeRemainingAsBytes()); }

    @Test
    void aSoundOneWithAnyDamageIsRefusedOrSound() {
        long seed = Long.getLong("ambo.seed", System.nanoTime());
        System.out.println("seed " + seed + " (-Dambo.seed=" + seed + ")");
        Random random = new Random(seed);
        int sound = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] datagram = java.util.Arrays.copyOf(SOUND, random.nextInt(8) == 0 ? random.nextInt(SOUND.length + 30) : SOUND.length);
            for (int damage = random.nextInt(4); damage > 0 && datagram.length > 0; damage--)
                datagram[random.nextInt(datagram.length)] ^= (byte) (1 << random.nextInt(8));
            if (judge(datagram)) sound++;
        }
        assertThat(sound).isPositive();
    }

    private static boolean judge(byte[] bytes) {
        // A segment as long as the datagram: reading beyond it throws.
        MemorySegment datagram = MemorySegment.ofArray(bytes);
        if (!Geneve.isSound(datagram, 0, bytes.length)) return false;
        assertThat(bytes.length).isGreaterThanOrEqualTo(Geneve.SIZE + 20);
        assertThat(Geneve.hops(datagram, 0)).isBetween(Geneve.ASK, Geneve.LAST);
        assertThat(Geneve.lane(datagram, 0)).isBetween(Geneve.WORKER, Geneve.KERNEL);
        Arena arena = Arena.ofAuto();
        HandedFrame.write(arena.allocate(HandedFrame.HEADER), 0, datagram, 0);
        MemorySegment address = arena.allocate(Geneve.ADDRESS);
        Geneve.tag(address, address, datagram, 0, bytes.length - Geneve.SIZE, 1, 2, arena.allocate(Geneve.TAGGED, 8));
        return true;
    }
}
