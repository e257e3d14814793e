package io.ambo.cluster;

import java.nio.charset.StandardCharsets;
import java.security.InvalidAlgorithmParameterException;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import javax.crypto.KDF;
import javax.crypto.spec.HKDFParameterSpec;

/**
 * The secret that makes a node a member: the content of the key file, white space around it left out. Keys for a purpose are derived from it (HKDF with
 * SHA-256, RFC 5869); the secret itself is never used, shown or compared.
 */
public final class ClusterKey {
    /** Bytes a key file must hold at least. */
    public static final int SHORTEST = 32;
    /** Bytes a key file may hold at most. */
    public static final int LONGEST = 64 * 1024;

    private final byte[] secret;

    private ClusterKey(byte[] secret) { this.secret = secret; }

    /**
     * @param content of the key file
     * @throws IllegalArgumentException when it is shorter than {@link #SHORTEST} or longer than {@link #LONGEST} bytes; the message says what to do
     */
    public static ClusterKey of(byte[] content) {
        int from = 0;
        int to = content.length;
        while (from < to && isSpace(content[from])) from++;
        while (to > from && isSpace(content[to - 1])) to--;
        if (to - from < SHORTEST)
            throw new IllegalArgumentException("the cluster key has " + (to - from) + " bytes, " + SHORTEST + " are needed: make one with"
                    + " `head -c 48 /dev/urandom | base64 -w0 > KEYFILE` and copy it to every member");
        if (to - from > LONGEST)
            throw new IllegalArgumentException("the cluster key has " + (to - from) + " bytes, " + LONGEST + " are allowed");
        return new ClusterKey(Arrays.copyOfRange(content, from, to));
    }

    /** Key material for one purpose: equal wherever secret, salt and purpose are. */
    public byte[] derive(byte[] salt, String purpose, int bytes) {
        try {
            return KDF.getInstance("HKDF-SHA256").deriveData(HKDFParameterSpec.ofExtract().addIKM(secret).addSalt(salt)
                    .thenExpand(purpose.getBytes(StandardCharsets.UTF_8), bytes));
        } catch (NoSuchAlgorithmException | InvalidAlgorithmParameterException e) {
            throw new IllegalStateException("this JVM has no HKDF-SHA256; JDK 25 does", e);
        }
    }

    @Override
    public String toString() { return "(secret)"; }

    private static boolean isSpace(byte b) { return b == ' ' || b == '\n' || b == '\r' || b == '\t'; }
}
