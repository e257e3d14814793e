package io.ambo.cluster;

import java.nio.charset.StandardCharsets;
import java.security.InvalidAlgorithmParameterException;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import javax.crypto.KDF;
import javax.crypto.spec.HKDFParameterSpec;

/**
 * The secrets that make a node a member: the lines of the key file, white space around them, empty lines and those that begin with # left out. The first one
 * seals; each of them opens. So a key is changed without a gap: first every member learns to open with the new one, then every member seals with it, then the old
 * one goes. Keys for a purpose are derived (HKDF with SHA-256, RFC 5869); a secret itself is never used, shown or compared.
 */
public final class ClusterKey {
    /** Bytes that each key must have at least. */
    public static final int SHORTEST = 32;
    /** Bytes a key file may hold at most. */
    public static final int LONGEST = 64 * 1024;
    /** Keys of one file. */
    public static final int MOST_KEYS = 4;

    private final List<byte[]> secrets;

    private ClusterKey(List<byte[]> secrets) { this.secrets = secrets; }

    /**
     * @param content of the key file
     * @throws IllegalArgumentException when it holds no key or too many, or one that is too short; the message says what to do
     */
    public static ClusterKey of(byte[] content) {
        if (content.length > LONGEST)
            throw new IllegalArgumentException("the key file has " + content.length + " bytes, " + LONGEST + " are allowed");
        List<byte[]> secrets = new ArrayList<>();
        for (int from = 0, line = 1; from < content.length; line++) {
            int end = from;
            while (end < content.length && content[end] != '\n') end++;
            byte[] secret = stripped(content, from, end);
            from = end + 1;
            if (secret.length == 0 || secret[0] == '#') continue;
            if (secret.length < SHORTEST)
                throw new IllegalArgumentException("line " + line + " of the key file holds a key of " + secret.length + " bytes, "
                        + SHORTEST
                        + " are needed: make one with `head -c 48 /dev/urandom | base64 -w0 > KEYFILE` and copy it to every member");
            secrets.add(secret);
        }
        if (secrets.isEmpty())
            throw new IllegalArgumentException("the key file holds no key: make one with `head -c 48 /dev/urandom | base64 -w0 > KEYFILE`"
                    + " and copy it to every member");
        if (secrets.size() > MOST_KEYS)
            throw new IllegalArgumentException(
                    "the key file holds " + secrets.size() + " keys, one on each line; " + MOST_KEYS + " are allowed");
        return new ClusterKey(List.copyOf(secrets));
    }

    /** How many keys there are; at least one. */
    public int count() { return secrets.size(); }

    /** Key material for one purpose, of the key that seals: equal wherever secret, salt and purpose are. */
    public byte[] derive(byte[] salt, String purpose, int bytes) {
        return derive(0, salt, purpose, bytes);
    }

    /** The same of one of the keys; 0 is the one that seals. */
    public byte[] derive(int index, byte[] salt, String purpose, int bytes) {
        try {
            return KDF.getInstance("HKDF-SHA256").deriveData(HKDFParameterSpec.ofExtract().addIKM(secrets.get(index)).addSalt(salt)
                    .thenExpand(purpose.getBytes(StandardCharsets.UTF_8), bytes));
        } catch (NoSuchAlgorithmException | InvalidAlgorithmParameterException e) {
            throw new IllegalStateException("this JVM has no HKDF-SHA256; JDK 25 does", e);
        }
    }

    /** What an operator may see of the keys, to compare them between nodes: eight hex digits each, the one that seals first. */
    public List<String> fingerprints() {
        List<String> fingerprints = new ArrayList<>();
        for (int i = 0; i < secrets.size(); i++)
            fingerprints.add(HexFormat.of().formatHex(derive(i, new byte[0], "ambo key fingerprint", Integer.BYTES)));
        return fingerprints;
    }

    @Override
    public String toString() { return "(secret)"; }

    private static byte[] stripped(byte[] content, int from, int to) {
        int first = from;
        int end = to;
        while (first < end && isSpace(content[first])) first++;
        while (end > first && isSpace(content[end - 1])) end--;
        return Arrays.copyOfRange(content, first, end);
    }

    private static boolean isSpace(byte b) { return b == ' ' || b == '\r' || b == '\t'; }
}
