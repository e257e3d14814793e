@NullMarked
package io.ambo.hatests.lab;

import org.jspecify.annotations.NullMarked;
