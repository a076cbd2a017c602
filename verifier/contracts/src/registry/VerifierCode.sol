// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title What a verifier's code must be before its key is registered
/// @notice The code is the template followed by alpha, -beta, -gamma, -delta and one IC point for each input and one more.
library VerifierCode {
    /// @notice The contract is not `ClaimVerifier.yul` as this registry was deployed with.
    error NotTheVerifier(address verifier);
    /// @notice A claim has ten inputs and one for each line, at most 32 lines.
    error InputCountUnsupported(uint256 inputs);
    /// @notice beta, gamma and delta must differ, sign apart: with gamma = delta, anybody forges.
    error KeyForges();
    /// @notice A point of the key is the point at infinity: it would leave part of the proof unchecked.
    error KeyPointMissing(uint256 word);

    uint256 private constant FIXED_INPUTS = 10;
    uint256 private constant MAX_LINES = 32;
    // Word offsets in the constants; a G2 point is (x imaginary, x real, y imaginary, y real).
    uint256 private constant BETA = 2;
    uint256 private constant GAMMA = 6;
    uint256 private constant DELTA = 10;
    uint256 private constant IC = 14;

    /// @notice Checks a verifier's code and returns what it says about its key.
    /// @param verifier The contract.
    /// @param template Hash of the code without constants.
    /// @param templateSize Length of the code without constants.
    /// @return inputs Public inputs of the statement.
    /// @return constantsHash Keccak-256 of the constants.
    function inspect(address verifier, bytes32 template, uint256 templateSize)
        internal
        view
        returns (uint256 inputs, bytes32 constantsHash)
    {
        bytes memory code = verifier.code;
        if (code.length < templateSize + (IC + 2) * 32) revert NotTheVerifier(verifier);
        uint256 size = code.length - templateSize;
        bytes32 found;
        uint256 start;
        assembly ("memory-safe") {
            found := keccak256(add(code, 0x20), templateSize)
            start := add(add(code, 0x20), templateSize)
            constantsHash := keccak256(start, size)
        }
        if (found != template || size % 64 != 0) revert NotTheVerifier(verifier);
        inputs = (size / 32 - IC) / 2 - 1;
        if (inputs <= FIXED_INPUTS || inputs > FIXED_INPUTS + MAX_LINES) revert InputCountUnsupported(inputs);
        if (_sameX(start, GAMMA, DELTA) || _sameX(start, BETA, GAMMA) || _sameX(start, BETA, DELTA)) revert KeyForges();
        _requirePoint(start, 0, 2);
        for (uint256 place = BETA; place < IC; place += 4) _requirePoint(start, place, 4);
        // IC[0] is a constant of the statement and may be anything; a missing later one would leave an input free.
        for (uint256 place = IC + 2; place < size / 32; place += 2) _requirePoint(start, place, 2);
    }

    function _word(uint256 start, uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(start, shl(5, place)))
        }
    }

    function _sameX(uint256 start, uint256 a, uint256 b) private pure returns (bool) {
        return _word(start, a) == _word(start, b) && _word(start, a + 1) == _word(start, b + 1);
    }

    function _requirePoint(uint256 start, uint256 place, uint256 words) private pure {
        uint256 bits;
        for (uint256 i; i < words; ++i) bits |= _word(start, place + i);
        if (bits == 0) revert KeyPointMissing(place);
    }
}
