"""Operations for measuring this machine."""
